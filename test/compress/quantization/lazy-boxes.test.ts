import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import { inputSize } from '../../../src/compress/passes/input-size.js'
import { thresholdInput, withLazyBoxes } from '../../../src/compress/quantization/lazy-boxes.js'
import { calibrate, quantize, type QuantizedModel } from '../../../src/compress/quantization/quantize.js'
import { int8Target } from '../../../src/compress/quantization/targets.js'
import { runPasses } from '../../../src/compress/run-passes.js'
import { seededRandom } from '../../../src/base/random.js'
import { requireValidGraph } from '../../../src/onnx/check-graph.js'
import { costOf } from '../../../src/onnx/cost.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { openDetector } from '../../../src/runtime/detector.js'
import { byteScaleOf, logitOf } from '../../../src/yolo/byte-scale.js'
import { validationOptions } from '../../../src/yolo/detection.js'
import { letterbox } from '../../../src/yolo/letterbox.js'
import { lazyBoxesOf, type LazyLevel } from '../../../src/yolo/lazy-boxes.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { projectRoot } from '../../helpers/paths.js'
import { runOnnx, type RunResult } from '../../helpers/run-onnx.js'

interface Size {
  readonly width: number
  readonly height: number
}

const network = toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))))
const runner = graphRunner()

/** Coarse random patches: what the network answers to them varies from place to place. */
function patches({ width, height }: Size, seed: number): Uint8Array {
  const random = seededRandom(seed)
  const colours = Uint8Array.from({ length: 3 * 64 }, () => random.integer(256))
  return Uint8Array.from({ length: 3 * width * height }, (_, at) => {
    const place = Math.floor(at / 3)
    const row = Math.floor((8 * Math.floor(place / width)) / height)
    const column = Math.floor((8 * (place % width)) / width)
    return colours[3 * (8 * row + column) + (at % 3)]!
  })
}

const models = new Map<string, Promise<QuantizedModel>>()

function quantized(size: Size, target: 'x64' | 'qdq' = 'x64'): Promise<QuantizedModel> {
  const key = `${target} ${size.width}x${size.height}`
  const known = models.get(key) ?? quantizedAnew(size, target)
  models.set(key, known)
  return known
}

/** With the boxes of all cells. */
async function denseModel(model: Promise<QuantizedModel>): Promise<Graph> {
  return (await model).withFloat(new Set())
}

async function quantizedAnew(size: Size, target: 'x64' | 'qdq'): Promise<QuantizedModel> {
  const graph = runPasses(network, [inputSize(size.width, size.height)])
  const options = { target: int8Target(target), method: 'mse', biasCorrection: true } as const
  const images = { count: 2, read: (index: number) => Promise.resolve(patches(size, index)) }
  return quantize(graph, await calibrate(graph, options, runner, images), options)
}

async function run(
  graph: Graph,
  size: Size,
  threshold?: number,
): Promise<ReadonlyMap<string, RunResult & { readonly data: ArrayLike<number> }>> {
  const { inputName } = describeModel(graph)
  const picture = { type: 'uint8', dims: [1, size.height, size.width, 3], data: patches(size, 7) } as const
  const limit = { type: 'float32', dims: [1], data: Float32Array.of(threshold ?? 0) } as const
  const feeds = { [inputName]: picture, ...(threshold !== undefined && { [thresholdInput]: limit }) }
  return (await runOnnx(exportModel(graph), feeds)) as never
}

for (const size of [
  { width: 320, height: 320 },
  // Maps of 52 x 36, 26 x 18 and 13 x 9 cells: most of them do not divide into tiles.
  { width: 416, height: 288 },
]) {
  t.test(
    `boxes of ${size.width} x ${size.height} pixels are those of the whole map, bit for bit`,
    async (t) => {
      const dense = await denseModel(quantized(size))
      const graph = withLazyBoxes(dense)
      requireValidGraph(graph)
      const { levels } = lazyBoxesOf(graph.metadata)!
      t.same(
        levels.map(({ box }) => box),
        ['p3_box', 'p4_box'],
        'the third has too little to compute',
      )
      const whole = await run(dense, size)
      const best = Math.max(
        ...levels.map(({ cls }) => {
          const bytes = whole.get(cls)!.data
          return logitOf(Math.max(...Array.from(bytes)), byteScaleOf(dense.metadata, cls)!)
        }),
      )
      for (const [threshold, share] of [
        [-Infinity, 'all'],
        [best - 3, 'some'],
        [best, 'the best'],
        [best + 1, 'none'],
      ] as const) {
        const outputs = await run(graph, size, threshold)
        let computed = 0
        let tiles = 0
        for (const level of levels) {
          const wanted = passing(
            whole.get(level.cls)!,
            level,
            (byte) => logitOf(byte, byteScaleOf(dense.metadata, level.cls)!) >= threshold,
          )
          const numbers = Array.from(outputs.get(level.tiles.name)!.data)
          t.same(outputs.get(level.cls)!.data, whole.get(level.cls)!.data)
          t.same(numbers, wanted.numbers, `${share}: the tiles of ${level.box}`)
          t.equal(cellsThatDiffer(whole.get(level.box)!, outputs.get(level.box)!, level, numbers), 0)
          computed += numbers.length
          tiles += wanted.count
        }
        if (share === 'all') t.equal(computed, tiles)
        if (share === 'some') t.ok(computed > 1 && computed < tiles, `${computed} of ${tiles} tiles`)
        if (share === 'the best') t.ok(computed >= 1)
        if (share === 'none') t.equal(computed, 0)
      }
    },
  )
}

/** The tiles that have a class byte which `passes`, and how many tiles there are. */
function passing(
  cls: RunResult & { readonly data: ArrayLike<number> },
  { tiles }: LazyLevel,
  passes: (byte: number) => boolean,
): { readonly numbers: readonly number[]; readonly count: number } {
  const [, height = 0, width = 0, classes = 0] = cls.dims
  const across = Math.ceil(width / tiles.width)
  const found = new Set<number>()
  for (let at = 0; at < cls.data.length; at++) {
    if (!passes(cls.data[at]!)) continue
    const cell = Math.floor(at / classes)
    const [row, column] = [Math.floor(cell / width), cell % width]
    found.add(Math.floor(row / tiles.height) * across + Math.floor(column / tiles.width))
  }
  return { numbers: [...found].sort((a, b) => a - b), count: across * Math.ceil(height / tiles.height) }
}

/** Cells inside of the map in which a tile has other box logits than the whole map. */
function cellsThatDiffer(
  whole: RunResult & { readonly data: ArrayLike<number> },
  box: RunResult & { readonly data: ArrayLike<number> },
  { tiles }: LazyLevel,
  numbers: readonly number[],
): number {
  const [, height = 0, width = 0, channels = 0] = whole.dims
  const across = Math.ceil(width / tiles.width)
  let differing = 0
  for (const [position, number] of numbers.entries()) {
    for (let cell = 0; cell < tiles.height * tiles.width; cell++) {
      const row = Math.floor(number / across) * tiles.height + Math.floor(cell / tiles.width)
      const column = (number % across) * tiles.width + (cell % tiles.width)
      if (row >= height || column >= width) continue
      const from = channels * (position * tiles.height * tiles.width + cell)
      const to = channels * (row * width + column)
      const isSame = Array.from({ length: channels }).every(
        (_, channel) => box.data[from + channel] === whole.data[to + channel],
      )
      if (!isSame) differing++
    }
  }
  return differing
}

t.test('newer operator sets give the same', async (t) => {
  const size = { width: 320, height: 320 }
  const dense = await denseModel(quantized(size))
  const newer = withLazyBoxes({ ...dense, opsets: new Map([...dense.opsets, ['', 20]]) })
  t.same(await run(newer, size, -3), await run(withLazyBoxes(dense), size, -3))
})

t.test('a detector finds the same in both', async (t) => {
  const size = { width: 320, height: 320 }
  const dense = await denseModel(quantized(size))
  const pixels = new SharedArrayBuffer(3 * size.width * size.height)
  new Uint8Array(pixels).set(patches(size, 7))
  const frame = { pixels, byteOffset: 0, letterbox: letterbox(size, size) }
  const found = await Promise.all(
    [dense, withLazyBoxes(dense)].map(async (graph) => {
      const detector = await openDetector({ bytes: exportModel(graph), description: describeModel(graph) })
      const results = []
      for (const conf of [0.9, 0.02, 0.3])
        results.push((await detector.detect(frame, { ...validationOptions, conf })).detections)
      await detector.close()
      return results
    }),
  )
  t.ok(found[0]!.some((detections) => detections.length > 0))
  t.same(found[1], found[0])
})

t.test('what it costs at most is all tiles with what they overlap by', async (t) => {
  const dense = await denseModel(quantized({ width: 320, height: 320 }))
  const [before, after] = [costOf(dense), costOf(withLazyBoxes(dense))]
  const ratio = after.macs! / before.macs!
  t.ok(ratio > 1 && ratio < 1.12, `${ratio}`)
  t.same([before.isAtMost, after.isAtMost], [false, true])
})

t.test('what does not meet the conditions stays as it is', async (t) => {
  const size = { width: 320, height: 320 }
  const { graph: lazy, withFloat } = await quantized(size)
  t.ok(lazyBoxesOf(lazy.metadata), 'an int8 model is lazy')
  t.equal(withLazyBoxes(lazy), lazy, 'lazy already')
  t.equal(withLazyBoxes(network), network, 'float')
  const qdq = await denseModel(quantized(size, 'qdq'))
  t.equal(withLazyBoxes(qdq), qdq, 'float operators between integers')
  const [first] = network.outputs
  const last = network.nodes.find((node) => node.outputs.includes(first!.name))!
  const partly = withLazyBoxes(withFloat(new Set([last.name])))
  t.same(
    lazyBoxesOf(partly.metadata)!.levels.map(({ box }) => box),
    ['p4_box'],
    'a level whose boxes stay float',
  )
  t.match(partly.outputs[0], { name: first!.name, type: 'float32' })
  const tiny = await denseModel(quantized({ width: 64, height: 64 }))
  t.equal(withLazyBoxes(tiny), tiny, 'too little to compute')
})
