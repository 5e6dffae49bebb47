import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Tensor } from 'onnxruntime-node'
import t from 'tap'
import { importModel } from '../../../src/onnx/import-model.js'
import { openSessionIn } from '../../../src/runtime/native/native-session.js'
import { openDetector } from '../../../src/runtime/detector.js'
import { openTensorSession } from '../../../src/runtime/tensor-session.js'
import { predictionOptions } from '../../../src/yolo/detection.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { FakeOrt } from '../../helpers/fake-ort.js'
import { projectRoot, shared, skipWithout } from '../../helpers/paths.js'
import { plainFrame, tinyDetector } from '../../helpers/tiny-detector.js'
import { elementwiseModel } from '../../helpers/tiny-model.js'

/** The library that the Node binding itself uses. */
const library = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
)
const skip = existsSync(library) ? false : 'no Linux library of ONNX Runtime here'

const feeds = new Map([
  ['x', { type: 'float32', dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['y', { type: 'float32', dims: [2, 3], data: Float32Array.of(10, 20, 30, 40, 50, 60) }],
] as const)

t.test('a library named by its path computes what the Node binding computes', { skip }, async (t) => {
  const session = await openTensorSession(elementwiseModel('Add', [2, 3]), { library })
  t.teardown(() => session.close())
  t.match(session.info, {
    provider: 'cpu',
    inputs: [
      { name: 'x', type: 'float32', shape: [2, 3] },
      { name: 'y', type: 'float32', shape: [2, 3] },
    ],
    outputs: [{ name: 'out', type: 'float32', shape: [2, 3] }],
  })
  const outputs = await session.run(feeds)
  t.same(outputs.get('out'), { type: 'float32', dims: [2, 3], data: Float32Array.of(11, 22, 33, 44, 55, 66) })
  await t.rejects(session.run(new Map([['x', feeds.get('x')!]])), { code: 'inference.run_failed' })
  t.same((await session.run(feeds)).size, 1, 'it still runs after an error')
})

t.test('a detector over it sees each frame', { skip }, async (t) => {
  const detector = await openDetector(tinyDetector({ size: 64, layout: 'nhwc-uint8' }), { library })
  t.teardown(() => detector.close())
  for (const value of [255, 128, 200]) {
    const { detections } = await detector.detect(plainFrame(64, value), predictionOptions)
    t.ok(Math.abs(detections[0]!.score - value / 255) < 1e-6)
  }
})

t.test(
  'the reference model gives the same detections bit for bit',
  { skip: skip === false ? skipWithout('models', 'yolov8n.onnx') : skip },
  async (t) => {
    const path = shared('models', 'yolov8n.onnx')
    const bytes = readFileSync(path)
    const description = describeModel(importModel(bytes))
    const pixels = new Float32Array(3 * 640 * 640).map((_, index) => ((index * 2654435761) % 256) / 255)
    const input = new Map([['images', { type: 'float32', dims: [1, 3, 640, 640], data: pixels }]] as const)
    const [binding, native] = await Promise.all([
      openTensorSession(bytes, { warmUpRuns: 0 }),
      openTensorSession(bytes, { library, warmUpRuns: 0 }),
    ])
    const [expected, found] = [await binding.run(input), await native.run(input)]
    t.same(native.info.outputs, binding.info.outputs)
    t.equal(description.output.kind, 'decoded')
    const bits = (outputs: typeof found): Buffer => Buffer.from(outputs.get('output0')!.data.buffer)
    t.ok(bits(found).equals(bits(expected)))
    await Promise.all([binding.close(), native.close()])
  },
)

t.test('options reach the library', { skip }, async (t) => {
  const folder = t.testdir()
  const optimizedModelPath = join(folder, 'optimized.onnx')
  const profilePrefix = join(folder, 'profile')
  const session = await openTensorSession(elementwiseModel('Mul', [2, 3]), {
    library,
    optimizedModelPath,
    profilePrefix,
    intraOpThreads: 1,
    lowMemory: true,
  })
  await session.run(feeds)
  await session.close()
  t.ok(existsSync(optimizedModelPath), 'the graph that really runs')
  const profile = readdirSync(folder).find((name) => name.startsWith('profile'))
  t.match(readFileSync(join(folder, profile!), 'utf8'), /Mul/)
})

t.test('what is no usable library is refused with the reason', { skip }, async (t) => {
  const folder = t.testdir({ 'text.so': 'not a library' })
  const model = elementwiseModel('Add', [2, 3])
  const code = 'inference.load_failed'
  await t.rejects(openTensorSession(model, { library: join(folder, 'none.so') }), {
    code,
    message: /no such file/,
  })
  await t.rejects(openTensorSession(model, { library: join(folder, 'text.so') }), {
    code,
    hint: /libonnxruntime/,
  })
  const { sharedObjects } = process.report.getReport() as unknown as {
    readonly sharedObjects: readonly string[]
  }
  const mathematics = sharedObjects.find((path) => path.includes('/libm'))
  t.ok(mathematics, 'every Node.js has a mathematics library')
  await t.rejects(openTensorSession(model, { library: mathematics! }), {
    code,
    message: /no function OrtGetApiBase/,
  })
  const otherMachine = Buffer.from(readFileSync(library).subarray(0, 4096))
  // e_machine of the ELF header: another processor.
  otherMachine.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18)
  writeFileSync(join(folder, 'other.so'), otherMachine)
  await t.rejects(openTensorSession(model, { library: join(folder, 'other.so') }), { code })
})

t.test(
  'a provider that the library does not have, and a model that is none, are refused',
  { skip },
  async (t) => {
    const model = elementwiseModel('Add', [2, 3])
    await t.rejects(openTensorSession(model, { library, providers: ['openvino'] }), {
      code: 'inference.provider_unavailable',
      message: /has only .*CPUExecutionProvider/,
    })
    const unknownOption = { library, providers: ['cuda'], providerOptions: { cuda: { no_such_option: '1' } } }
    await t.rejects(
      openTensorSession(model, unknownOption),
      { code: 'inference.provider_unavailable', message: /cannot run on execution provider cuda: / },
      'whatever is missing first: the libraries of the provider, or the option',
    )
    await t.rejects(openTensorSession(Buffer.from('no model'), { library }), {
      code: 'inference.load_failed',
      message: /cannot load model of 8 bytes/,
    })
  },
)

t.test('memory does not grow with runs', { skip }, async (t) => {
  const session = await openTensorSession(elementwiseModel('Add', [2, 3]), { library })
  t.teardown(() => session.close())
  const run = async (count: number): Promise<number> => {
    for (let index = 0; index < count; index++) await session.run(feeds)
    return process.memoryUsage.rss()
  }
  const before = await run(3000)
  const after = await run(7000)
  t.ok(after < before * 1.1 + 8e6, `${(before / 1e6).toFixed(1)} MB, then ${(after / 1e6).toFixed(1)} MB`)
})

t.test('openings that fail half way leave nothing behind', { skip }, async (t) => {
  const bytes = readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))
  const description = { ...describeModel(importModel(bytes)), inputWidth: 320, inputHeight: 320 }
  /** Resident bytes after `count` openings: the session is there when its first run is refused. */
  const open = async (count: number): Promise<number> => {
    for (let index = 0; index < count; index++)
      await t.rejects(openDetector({ bytes, description }, { library, intraOpThreads: 1 }), {
        code: 'inference.run_failed',
      })
    return process.memoryUsage.rss()
  }
  const tries = 10
  const before = await open(3)
  const grown = (await open(tries)) - before
  // A session that stays keeps the weights of its model at the least.
  t.ok(grown < (tries * bytes.byteLength) / 2, `${(grown / 1e6).toFixed(1)} MB in ${tries} openings`)
})

t.test('a library that is too old is refused with its release', (t) => {
  t.equal(new FakeOrt(16).api.version, '1.16.0')
  t.throws(() => new FakeOrt(15), {
    code: 'inference.load_failed',
    message: 'it is release 1.15.0, expected 1.16 or later',
  })
  t.end()
})

t.test('as many threads compute as were asked for', { skip }, async (t) => {
  const threads = (): number => readdirSync('/proc/self/task').length
  const added: number[] = []
  for (const intraOpThreads of [1, 4]) {
    const before = threads()
    const session = await openTensorSession(elementwiseModel('Add', [2, 3]), { library, intraOpThreads })
    added.push(threads() - before)
    await session.close()
  }
  t.equal(added[1]! - added[0]!, 3, 'the thread that calls is one of them')
})

t.test('a session lets go of what it was given once', async (t) => {
  const ort = new FakeOrt()
  const tensor = (): Tensor => new Tensor('float32', new Float32Array(4), [4])
  const session = openSessionIn(ort.api, { bytes: Buffer.from('model') }, { providers: ['cpu'] })
  const [first, second] = [tensor(), tensor()]
  const valuesAfter = async (...given: Tensor[]): Promise<number> => {
    for (const input of given) await session.run({ x: input }, { y: second })
    return ort.alive.filter((kind) => kind === 'value').length
  }
  t.equal(await valuesAfter(first, first, first), 2, 'made once for tensors that come again')
  t.equal(await valuesAfter(tensor(), tensor(), tensor(), tensor()), 2, 'and let go where they do not')
  await session.release()
  t.same(ort.alive, [])
})

t.test('a provider that is a plugin: what is none is refused with the reason', { skip }, async (t) => {
  const folder = t.testdir()
  const open = (path: string): Promise<unknown> =>
    openTensorSession(elementwiseModel('Add', [2, 3]), {
      library,
      providers: ['abacus'],
      providerLibraries: { abacus: path },
    })
  await t.rejects(open(join(folder, 'none.so')), {
    code: 'inference.provider_unavailable',
    message: /cannot run on execution provider abacus: Failed to load library .*none\.so/,
    hint: /inference\.provider_libraries/,
  })
  await t.rejects(open(library), {
    code: 'inference.provider_unavailable',
    message: /Failed to get symbol CreateEpFactories/,
  })
  await t.rejects(openTensorSession(elementwiseModel('Add', [2, 3]), { library, providers: ['abacus'] }), {
    message: /execution provider abacus is not known/,
  })
})

const plugin = process.env['YOLO_EDGE_TEST_PLUGIN']

t.test(
  'a real plugin computes',
  { skip: plugin === undefined ? 'YOLO_EDGE_TEST_PLUGIN=name=/path names no plugin' : skip },
  async (t) => {
    const [name, path] = plugin!.split('=') as [string, string]
    const options = { library, providers: [name], providerLibraries: { [name]: path } }
    const sessions = [
      await openTensorSession(elementwiseModel('Add', [2, 3]), options),
      await openTensorSession(elementwiseModel('Add', [2, 3]), options),
    ]
    for (const session of sessions) {
      t.equal(session.info.provider, name)
      const outputs = await session.run(feeds)
      t.same(outputs.get('out')?.data, Float32Array.of(11, 22, 33, 44, 55, 66))
      await session.close()
    }
    const other = { ...options, providers: ['other'], providerLibraries: { other: path } }
    await t.rejects(openTensorSession(elementwiseModel('Add', [2, 3]), other), {
      message: /brings no device of it/,
    })
  },
)
