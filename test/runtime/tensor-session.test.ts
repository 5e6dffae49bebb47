import t from 'tap'
import { readFile } from 'node:fs/promises'
import { isAgentError } from '../../src/base/errors.js'
import type { Tensor } from '../../src/onnx/tensor.js'
import { openTensorSession } from '../../src/runtime/tensor-session.js'
import { elementwiseModel } from '../helpers/tiny-model.js'
import { shared, skipWithout } from '../helpers/paths.js'

const vector = (values: readonly number[]): Tensor => ({
  type: 'float32',
  dims: [values.length],
  data: Float32Array.from(values),
})

t.test('a session computes what the graph says and leaves the feeds to the caller', async (t) => {
  const session = await openTensorSession(elementwiseModel('Mul', [3]))
  const x = vector([1, 2, 3])
  const outputs: ReadonlyMap<string, Tensor> = await session.run(
    new Map<string, Tensor>([
      ['x', x],
      ['y', vector([4, 5, 6])],
    ]),
  )
  t.same(outputs.get('out'), { type: 'float32', dims: [3], data: Float32Array.of(4, 10, 18) })
  t.same([...x.data], [1, 2, 3], 'the feed is neither changed nor detached')
  t.same(session.info.inputs[0], { name: 'x', type: 'float32', shape: [3] })
  t.equal(session.info.provider, 'cpu')
  await session.close()
})

t.test('bound tensors are read and written where they lie', async (t) => {
  const all = new Float32Array(new SharedArrayBuffer(40))
  const [x, y, out] = [all.subarray(0, 3), all.subarray(3, 6), all.subarray(6, 9)]
  const inputs = new Map<string, Tensor>([
    ['x', { type: 'float32', dims: [3], data: x }],
    ['y', { type: 'float32', dims: [3], data: y }],
  ])
  const model = elementwiseModel('Mul', [3])
  const outputs = new Map([['out', { ...vector([]), dims: [3], data: out } as Tensor]])
  const session = await openTensorSession(model, {}, { inputs, outputs })
  for (const factor of [1, 2]) {
    x.set([1, 2, 3])
    y.fill(factor)
    t.equal((await session.run(new Map())).size, 0)
    t.same([...all], [1, 2, 3, factor, factor, factor, factor, 2 * factor, 3 * factor, 0])
  }
  t.ok(session.computeMs > 0)
  await session.close()
})

t.test('one of several tensors may be bound; the others travel', async (t) => {
  const y: Tensor = { type: 'float32', dims: [3], data: new Float32Array(new SharedArrayBuffer(12)).fill(7) }
  const model = elementwiseModel('Mul', [3])
  const session = await openTensorSession(model, {}, { inputs: new Map([['y', y]]), outputs: new Map() })
  const outputs: ReadonlyMap<string, Tensor> = await session.run(new Map([['x', vector([1, 2, 3])]]))
  t.same([...outputs.get('out')!.data], [7, 14, 21])
  await session.close()
})

t.test('a bound tensor of another shape and one that is not shared are refused', async (t) => {
  const model = elementwiseModel('Mul', [3])
  const all = new Float32Array(new SharedArrayBuffer(12)).fill(9)
  const bind = (data: Float32Array): ReturnType<typeof openTensorSession> => {
    const out: Tensor = { type: 'float32', dims: [data.length], data }
    return openTensorSession(model, {}, { inputs: new Map(), outputs: new Map([['out', out]]) })
  }
  const session = await bind(all.subarray(0, 2))
  const feeds = new Map(['x', 'y'].map((name) => [name, vector([1, 2, 3])]))
  await t.rejects(session.run(feeds), { code: 'inference.run_failed', message: /Got: 2 Expected: 3/ })
  t.same([...all], [9, 9, 9], 'nothing is written beyond a tensor')
  await session.close()
  await t.rejects(bind(new Float32Array(3)), { code: 'internal.invariant_broken' })
})

t.test('results stay as they are while the session goes on and after it has ended', async (t) => {
  const session = await openTensorSession(elementwiseModel('Mul', [3]))
  const run = async (x: number): Promise<Tensor> => {
    const feeds = new Map<string, Tensor>([
      ['x', vector([x, x, x])],
      ['y', vector([1, 2, 3])],
    ])
    const outputs: ReadonlyMap<string, Tensor> = await session.run(feeds)
    return outputs.get('out')!
  }
  const results = [await run(1), await run(10), ...(await Promise.all([run(100), run(1000)]))]
  await session.close()
  t.same(
    results.map(({ data }) => [...data]),
    [1, 10, 100, 1000].map((x) => [x, 2 * x, 3 * x]),
  )
})

t.test('a feed that is a view takes only its own bytes along', async (t) => {
  const session = await openTensorSession(elementwiseModel('Add', [2]))
  const large = Float32Array.of(9, 1, 2, 9)
  const view: Tensor = { type: 'float32', dims: [2], data: large.subarray(1, 3) }
  const outputs = await session.run(
    new Map<string, Tensor>([
      ['x', view],
      ['y', view],
    ]),
  )
  t.same([...outputs.get('out')!.data], [2, 4])
  await session.close()
})

t.test('calls that are not awaited are served in order, each with its own feeds', async (t) => {
  const session = await openTensorSession(elementwiseModel('Add', [1]))
  const runs = Array.from({ length: 20 }, (_, index) =>
    session.run(
      new Map<string, Tensor>([
        ['x', vector([index])],
        ['y', vector([100])],
      ]),
    ),
  )
  const results = await Promise.all(runs)
  t.same(
    results.map((outputs) => outputs.get('out')!.data[0]),
    Array.from({ length: 20 }, (_, index) => index + 100),
  )
  await session.close()
})

t.test('only the outputs that are asked for are computed', async (t) => {
  const session = await openTensorSession(elementwiseModel('Mul', [1]))
  const feeds = new Map<string, Tensor>([
    ['x', vector([2])],
    ['y', vector([3])],
  ])
  t.same([...(await session.run(feeds, ['out'])).keys()], ['out'])
  await t.rejects(session.run(feeds, ['nothing']), { code: 'inference.run_failed' })
  await session.close()
})

t.test('feeds of a wrong shape or type, or too few, are refused and the session lives on', async (t) => {
  const session = await openTensorSession(elementwiseModel('Add', [2]))
  const good = vector([1, 2])
  await t.rejects(
    session.run(
      new Map<string, Tensor>([
        ['x', good],
        ['y', vector([1, 2, 3])],
      ]),
    ),
    { code: 'inference.run_failed' },
  )
  await t.rejects(session.run(new Map<string, Tensor>([['x', good]])), {
    code: 'inference.run_failed',
    message: /y/,
  })
  const bytes: Tensor = { type: 'uint8', dims: [2], data: Uint8Array.of(1, 2) }
  await t.rejects(
    session.run(
      new Map<string, Tensor>([
        ['x', good],
        ['y', bytes],
      ]),
    ),
    { code: 'inference.run_failed' },
  )
  t.same(
    [
      ...(
        await session.run(
          new Map<string, Tensor>([
            ['x', good],
            ['y', good],
          ]),
        )
      ).get('out')!.data,
    ],
    [2, 4],
  )
  await session.close()
})

t.test('bytes that are no model are refused with a reason and without a stack trace', async (t) => {
  const thrown = await openTensorSession(Uint8Array.of(1, 2, 3, 4)).catch((error: unknown) => error)
  t.ok(isAgentError(thrown, 'inference.load_failed'))
  t.match((thrown as Error).message, /cannot load model of 4 bytes: .*protobuf/i)
  t.notMatch((thrown as Error).message, /\n|\/onnxruntime_src/)
})

t.test('a model cut in the middle is refused', async (t) => {
  const whole = elementwiseModel('Add', [2])
  await t.rejects(openTensorSession(whole.subarray(0, whole.length - 20)), { code: 'inference.load_failed' })
})

t.test('a provider that this machine lacks is named, also when cpu could take over', async (t) => {
  const model = elementwiseModel('Add', [2])
  await t.rejects(openTensorSession(model, { providers: ['coreml', 'cpu'] }), {
    code: 'inference.provider_unavailable',
    hint: /macOS/,
  })
  await t.rejects(openTensorSession(model, { providers: ['abacus'] }), {
    code: 'inference.provider_unavailable',
    message: /abacus.*cuda/,
  })
})

t.test('a broken model is blamed on the model, whatever provider is asked for', async (t) => {
  const thrown = await openTensorSession(Uint8Array.of(1, 2, 3), { providers: ['cuda'] }).catch(
    (e: unknown) => e,
  )
  t.ok(isAgentError(thrown, 'inference.load_failed', 'inference.provider_unavailable'))
})

t.test('close waits for the calls under way; later calls fail; closing twice is fine', async (t) => {
  const session = await openTensorSession(elementwiseModel('Add', [1]))
  const feeds = new Map<string, Tensor>([
    ['x', vector([1])],
    ['y', vector([1])],
  ])
  const running = session.run(feeds)
  const closed = session.close()
  t.same([...(await running).get('out')!.data], [2])
  await closed
  await session.close()
  await t.rejects(session.run(feeds), { code: 'inference.worker_died', message: /closed/ })
})

t.test('the graph that really runs can be dumped', async (t) => {
  const folder = t.testdir()
  const path = `${folder}/optimized.onnx`
  const session = await openTensorSession(elementwiseModel('Add', [1]), { optimizedModelPath: path })
  await session.close()
  t.ok((await readFile(path)).length > 0)
})

t.test('a configuration entry reaches ONNX Runtime', async (t) => {
  const model = elementwiseModel('Add', [1])
  const session = await openTensorSession(model, { extra: { 'session.set_denormal_as_zero': '1' } })
  await session.close()
  await t.rejects(openTensorSession(model, { extra: { 'session.load_model_format': 'ORT' } }), {
    code: 'inference.load_failed',
  })
})

t.test('the reference model runs', { skip: skipWithout('models', 'yolov8n.onnx') }, async (t) => {
  const session = await openTensorSession(await readFile(shared('models', 'yolov8n.onnx')), {
    lowMemory: true,
  })
  const data = new Float32Array(3 * 640 * 640).fill(0.5)
  const outputs = await session.run(
    new Map<string, Tensor>([['images', { type: 'float32', dims: [1, 3, 640, 640], data }]]),
  )
  t.same(outputs.get('output0')?.dims, [1, 84, 8400])
  await session.close()
})
