import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Tensor } from 'onnxruntime-node'
import t, { type Test } from 'tap'
import { seededRandom } from '../../../../src/base/random.js'
import { exportModel } from '../../../../src/onnx/export-model.js'
import { makeNode } from '../../../../src/onnx/graph.js'
import type { Graph } from '../../../../src/onnx/graph.js'
import { importModel } from '../../../../src/onnx/import-model.js'
import { byteConvolutionOf, unfolded } from '../../../../src/runtime/native/fused/byte-operators.js'
import { operatorDomain } from '../../../../src/onnx/opset.js'
import { fusedForm } from '../../../../src/runtime/native/fused/fused-form.js'
import {
  loadOperatorLibrary,
  operatorLibraryPath,
} from '../../../../src/runtime/native/fused/operator-library.js'
import { openSessionIn } from '../../../../src/runtime/native/native-session.js'
import { loadOrtApi } from '../../../../src/runtime/native/ort-api.js'
import type { SessionOptions } from '../../../../src/runtime/session-options.js'
import type { SessionTensor } from '../../../../src/runtime/tensor.js'
import { openTensorSession } from '../../../../src/runtime/tensor-session.js'
import { ByteGraph } from '../../../helpers/byte-graph.js'
import { projectRoot } from '../../../helpers/paths.js'

const ortLibrary = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/${process.platform}/${process.arch}/libonnxruntime.so.1`,
)
const operators = await loadOperatorLibrary(operatorLibraryPath())
const skip = typeof operators === 'string' ? `no operators here: ${operators}` : false
/** Features that the kernels are tried with: every kernel that this processor can run, down to plain C. */
const masks = process.arch === 'x64' ? [-1, 0b0011, 0b0001, 0] : [-1, 0]

/** What both forms make of random bytes: they must be the same to the last bit. */
async function requireSame(t: Test, graph: Graph, options: SessionOptions = {}): Promise<void> {
  const bytes = exportModel(graph)
  const stock = await openTensorSession(bytes, { operators: 'stock', intraOpThreads: 1 })
  const fused = await openTensorSession(bytes, { intraOpThreads: 2, ...options })
  try {
    t.equal(stock.info.operators?.form, 'stock')
    t.equal(fused.info.operators?.form, 'fused', JSON.stringify(fused.info.operators))
    const random = seededRandom(3)
    for (let round = 0; round < 2; round++) {
      const dims = graph.inputs[0]!.shape.map(Number)
      const data = Uint8Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.next() * 256)
      const tensor = { type: 'uint8', dims, data } as const
      const [expected, found] = [
        await stock.run(new Map([['x', tensor]])),
        await fused.run(new Map([['x', tensor]])),
      ]
      for (const [name, each] of expected) {
        t.same(found.get(name)?.dims, each.dims)
        t.equal(Buffer.compare(bytesOf(each.data), bytesOf(found.get(name)!.data)), 0, `${name} is the same`)
      }
    }
  } finally {
    await stock.close()
    await fused.close()
  }
}

function bytesOf(data: ArrayBufferView): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

t.test('a SiLU on bytes is one table, whatever its scales and size', { skip }, async (t) => {
  for (const [seed, mask] of masks.entries()) {
    const builder = new ByteGraph(seed, seed + 1, 37, 5)
    await requireSame(t, builder.graph([builder.silu('x')]), { operatorFeatures: mask })
  }
})

t.test('large tables are computed in parts', { skip }, async (t) => {
  const builder = new ByteGraph(1, 100, 331, 5)
  await requireSame(t, builder.graph([builder.silu('x')]))
})

t.test('convolutions of every shape give the bytes of the stock ones', { skip }, async (t) => {
  for (const [seed, channels] of [3, 16, 37].entries()) {
    const builder = new ByteGraph(seed, 23, 31, channels)
    const between = (least: number, most: number): number => builder.between(least, most)
    const outputs = Array.from({ length: 12 }, (_, at) => {
      const kernel = [between(1, 3), between(1, 3)] as const
      const made = builder.convolution('x', {
        channels: between(1, 150),
        kernel,
        strides: [between(1, 2), between(1, 2)],
        pads: [
          between(0, kernel[0] - 1),
          between(0, kernel[1] - 1),
          between(0, kernel[0] - 1),
          between(0, kernel[1] - 1),
        ],
      })
      return at % 3 === 0 ? made : builder.silu(made)
    })
    await requireSame(t, builder.graph(outputs))
  }
})

t.test('a convolution reads what was split and joined where it lies', { skip }, async (t) => {
  for (const [seed, sizes] of [
    [8, 24],
    [3, 5],
    [16, 16],
  ].entries()) {
    const builder = new ByteGraph(seed, 9, 11, sizes[0]! + sizes[1]!)
    const [left = '', right = ''] = builder.split('x', sizes)
    const inner = builder.silu(
      builder.convolution(right, { channels: 20, kernel: [3, 3], pads: [1, 1, 1, 1] }),
    )
    const joined = builder.concat([left, right, inner])
    const cell = builder.silu(builder.convolution(joined, { channels: 33, kernel: [1, 1] }))
    const wide = builder.convolution(joined, { channels: 7, kernel: [3, 3], pads: [1, 1, 1, 1] })
    await requireSame(t, builder.graph([cell, wide]))
  }
})

t.test('what differs from the form stays stock', { skip }, async (t) => {
  const builder = new ByteGraph(5, 8, 8, 8)
  const grouped = builder.convolution('x', { channels: 8, kernel: [3, 3], pads: [1, 1, 1, 1], group: 8 })
  const graph = builder.graph([builder.silu(grouped)])
  const fused = await fusedForm(graph, {
    hasConvolution: true,
    tablesOf: (_, silus) => Promise.resolve(silus.map(() => new Uint8Array(256))),
  })
  t.same(
    fused.nodes.map(({ domain, opType }) => `${domain}.${opType}`),
    ['com.microsoft.QLinearConv', 'yolo-edge.Table'],
  )
  await requireSame(t, graph)
  const read = new ByteGraph(6, 4, 4, 4)
  const made = read.convolution('x', { channels: 4, kernel: [1, 1] })
  await requireSame(t, read.graph([read.silu(made), made]))
})

t.test('the served models give the same bytes on every kernel', { skip }, async (t) => {
  for (const name of ['parts-int8.onnx', 'parts-pruned-int8.onnx']) {
    const bytes = readFileSync(join(projectRoot, 'models', 'parts', name))
    const graph = importModel(bytes)
    const stock = await openTensorSession(bytes, { operators: 'stock', intraOpThreads: 1 })
    t.teardown(() => stock.close())
    for (const mask of masks) {
      const fused = await openTensorSession(bytes, { intraOpThreads: 2, operatorFeatures: mask })
      const random = seededRandom(4)
      const feeds = new Map<string, SessionTensor>(
        graph.inputs.map((input) => {
          const dims = input.shape.map(Number)
          const length = dims.reduce((a, b) => a * b, 1)
          if (input.type === 'float32')
            return [input.name, { type: 'float32', dims, data: new Float32Array(length).fill(-6) }] as const
          const data = Uint8Array.from({ length }, () => random.next() * 256)
          return [input.name, { type: 'uint8', dims, data }] as const
        }),
      )
      const [expected, found] = [await stock.run(feeds), await fused.run(feeds)]
      await fused.close()
      for (const [output, each] of expected)
        t.same(found.get(output), each, `${name} ${output} with features ${mask}`)
    }
  }
})

t.test('the first convolution loses its groups of pixels', (t) => {
  const graph = importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts-int8.onnx')))
  const [first] = graph.nodes.filter(({ opType }) => opType === 'QLinearConv')
  const folded = byteConvolutionOf(graph, first!)!
  t.same(folded.dims.slice(1), [12, 3, 2])
  t.match(unfolded(folded), { dims: [folded.dims[0] / 2, 3, 3, 3], strides: [2, 2] })
  const broken = folded.weights.slice()
  broken[0] = broken[0] === 1 ? 2 : 1
  t.equal(unfolded({ ...folded, weights: broken }), undefined, 'what is no fold is left alone')
  t.end()
})

t.test('the stock form serves where the library does not, and says why', async (t) => {
  const builder = new ByteGraph(1, 4, 4, 4)
  const bytes = exportModel(builder.graph([builder.silu('x')]))
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-operators-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const cut = join(folder, 'cut.so')
  writeFileSync(cut, readFileSync(operatorLibraryPath('linux', 'x64')).subarray(0, 2000))
  const other = process.arch === 'x64' ? 'arm64' : 'x64'
  const cases = [
    ['of another architecture', operatorLibraryPath('linux', other)],
    ['absent', join(folder, 'absent.so')],
    ['cut off', cut],
    ['another library', ortLibrary],
  ] as const
  for (const [what, operatorLibrary] of cases) {
    const session = await openTensorSession(bytes, { operatorLibrary })
    t.match(session.info.operators, { form: 'stock', reason: operatorLibrary }, what)
    const x = { type: 'uint8', dims: [1, 4, 4, 4], data: new Uint8Array(64) } as const
    t.equal((await session.run(new Map([['x', x]]))).size, 1, `${what}: it runs`)
    await session.close()
  }
})

t.test('an operator that does not fit its inputs is refused', { skip }, async (t) => {
  const builder = new ByteGraph(1, 4, 4, 4)
  const graph = builder.graph([builder.silu('x')])
  const withTable = (length: number): Uint8Array =>
    exportModel({
      ...graph,
      opsets: new Map([...graph.opsets, [operatorDomain, 1]]),
      nodes: [makeNode('Table', 'extra', ['x', 'table'], ['y'], { domain: operatorDomain })],
      initializers: new Map([['table', { type: 'uint8', dims: [length], data: new Uint8Array(length) }]]),
      outputs: [{ name: 'y', type: 'uint8', shape: [1, 4, 4, 4] }],
    })
  const api = await loadOrtApi(ortLibrary)
  const x = new Tensor('uint8', new Uint8Array(64), [1, 4, 4, 4])
  for (const length of [255, 256, 257]) {
    const session = openSessionIn(api, { bytes: withTable(length) }, {}, operatorLibraryPath())
    const result = session.run({ x }, { y: null })
    if (length === 256) t.ok(await result)
    else await t.rejects(result, { message: /table has not 256 bytes/ }, `${length} bytes`)
    await session.release()
  }
  await t.rejects(openTensorSession(withTable(256)), { code: 'inference.load_failed' }, 'not from a file')
})

const compiler = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'yolo-edge/operator-compiler/package/zig',
)
t.test(
  'the libraries are what their sources make',
  {
    skip: existsSync(compiler)
      ? false
      : 'the compiler package is not in the cache: node deploy/build-operators.mjs',
  },
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-operators-'))
    t.teardown(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(projectRoot, 'deploy', 'build-operators.mjs'), folder],
      { encoding: 'utf8' },
    )
    t.equal(status, 0, stderr)
    for (const platform of ['linux-x64', 'linux-arm64']) {
      const name = join(platform, 'libyolo-edge-operators.so')
      t.ok(readFileSync(join(folder, name)).equals(readFileSync(join(projectRoot, 'lib', name))), platform)
    }
    t.end()
  },
)
