/**
 * Small detectors with random weights, narrow pictures to calibrate them with, and other pictures to judge them on.
 * Invariant: the same seed gives the same detector and pictures. A detector is a few convolutions deep, so that the rounding of its
 * layers does not grow into what is judged, and its class logits on the pictures to judge on lie as those of a trained one do: most of
 * them low, the highest of every level well above a score of one half.
 */

import { type Random, seededRandom } from '../../src/base/random.js'
import type { CalibrationImages, GraphRunner } from '../../src/compress/ports.js'
import { samplesOf } from '../../src/compress/calibration-samples.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import type { Graph, Node } from '../../src/onnx/graph.js'
import { applyPatch } from '../../src/onnx/patch.js'
import { floatTensor, type FloatTensor, type Tensor } from '../../src/onnx/tensor.js'
import { drawScene } from '../../src/training/conveyor/draw-scene.js'
import { planScene } from '../../src/training/conveyor/scene.js'
import { byteScaleOf, logitOf } from '../../src/yolo/byte-scale.js'
import { findHead } from '../../src/yolo/find-head.js'
import { op, tinyGraph, value } from './tiny-graph.js'

const side = 64
const boxChannels = 64
/** What the class logits of a level are on the pictures to judge on: their mean and their maximum. */
const meanLogit = -3
const largestLogit = 2.5

export interface RandomCase {
  /** In edge form. */
  readonly graph: Graph
  /** What there is to calibrate with: pictures of one narrow kind. */
  readonly narrow: CalibrationImages
  /** What the model will see. */
  readonly inputs: CalibrationImages
}

/** The detector and the pictures of `seed`. */
export async function randomCase(seed: number, runner: GraphRunner): Promise<RandomCase> {
  const random = seededRandom(seed)
  const inputs = kept(Array.from({ length: 6 }, () => widePicture(random)))
  const narrow = narrowPictures(random)
  const graph = await withTrainedLogits(toEdgeForm(randomGraph(random)), inputs, runner)
  return { graph, narrow, inputs }
}

/** Class logits of every level for each picture, one after the other, whether `graph` gives them as floats or as bytes. */
export async function classLogits(
  graph: Graph,
  images: CalibrationImages,
  runner: GraphRunner,
): Promise<ReadonlyMap<string, Float32Array>> {
  const open = await runner.open(graph)
  const found = new Map<string, number[]>()
  try {
    const samples = samplesOf(graph, images)
    for (let index = 0; index < samples.count; index++) {
      const outputs = await open.run(await samples.read(index))
      for (const name of classOutputs(graph)) {
        const logits = planesOf(graph, name, outputs.get(name))
        found.set(name, [...(found.get(name) ?? []), ...logits])
      }
    }
  } finally {
    await open.close()
  }
  return new Map([...found].map(([name, logits]) => [name, Float32Array.from(logits)]))
}

/** The largest loss of a score above one half of `float` in `int8`, which have the same levels; and how many such scores there are. */
export function largestLoss(
  float: ReadonlyMap<string, Float32Array>,
  int8: ReadonlyMap<string, Float32Array>,
): { readonly loss: number; readonly scores: number } {
  let loss = -1
  let scores = 0
  for (const [name, logits] of float) {
    const others = int8.get(name)!
    for (let index = 0; index < logits.length; index++) {
      const score = scoreOf(logits[index]!)
      if (score <= 0.5) continue
      scores++
      loss = Math.max(loss, score - scoreOf(others[index]!))
    }
  }
  return { loss, scores }
}

function scoreOf(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}

function classOutputs({ outputs }: Graph): readonly string[] {
  return outputs.map(({ name }) => name).filter((name) => name.startsWith('classes'))
}

/** `[1, C, h, w]` of an output, which may be bytes `[1, h, w, C]`. */
function planesOf(graph: Graph, name: string, tensor: Tensor | undefined): Float32Array {
  if (tensor?.type === 'float32') return tensor.data
  const scale = byteScaleOf(graph.metadata, name)
  if (tensor?.type !== 'uint8' || scale === undefined)
    throw new TypeError(`${name} is neither floats nor bytes`)
  const channels = tensor.dims[3]!
  const cells = tensor.data.length / channels
  const planes = new Float32Array(tensor.data.length)
  for (let cell = 0; cell < cells; cell++)
    for (let channel = 0; channel < channels; channel++)
      planes[channel * cells + cell] = logitOf(tensor.data[cell * channels + channel]!, scale)
  return planes
}

/** Convolutions with SiLU down to strides of 8, 16 and 32, and two branches of one layer at each. */
function randomGraph(random: Random): Graph {
  const nodes: Node[] = []
  const initializers: Record<string, Tensor> = {}
  const classCount = 1 + random.integer(6)
  const width = 6 + random.integer(10)
  const convolve = (input: string, inputs: number, name: string, outputs: number, stride: number): string => {
    const taps = inputs * 9
    // Rows of different strength, as training leaves them.
    const rows = Array.from(
      { length: outputs },
      () => Math.exp(0.5 * random.normal()) * Math.sqrt(2.5 / taps),
    )
    const weight = Float32Array.from(
      { length: outputs * taps },
      (_, at) => rows[Math.floor(at / taps)]! * random.normal(),
    )
    initializers[`${name}_w`] = floatTensor([outputs, inputs, 3, 3], weight)
    initializers[`${name}_b`] = floatTensor(
      [outputs],
      Float32Array.from({ length: outputs }, () => 0.3 * random.normal()),
    )
    nodes.push(
      op('Conv', [input, `${name}_w`, `${name}_b`], [name], {
        kernel_shape: [3, 3],
        strides: [stride, stride],
        pads: [1, 1, 1, 1],
      }),
    )
    return name
  }
  const activated = (input: string): string => {
    nodes.push(
      op('Sigmoid', [input], [`${input}_gate`]),
      op('Mul', [input, `${input}_gate`], [`${input}_silu`]),
    )
    return `${input}_silu`
  }
  const first = activated(convolve('images', 3, 'stem', width, 4))
  const maps = [activated(convolve(first, width, 'p3', width, 2))]
  for (const name of ['p4', 'p5']) maps.push(activated(convolve(maps.at(-1)!, width, name, width, 2)))
  const outputs = maps.flatMap((map, level) => [
    value(
      convolve(map, width, `boxes${level}`, boxChannels, 1),
      1,
      boxChannels,
      side / 8 / 2 ** level,
      side / 8 / 2 ** level,
    ),
    value(
      convolve(map, width, `classes${level}`, classCount, 1),
      1,
      classCount,
      side / 8 / 2 ** level,
      side / 8 / 2 ** level,
    ),
  ])
  return tinyGraph({ inputs: [value('images', 1, 3, side, side)], nodes, outputs, initializers })
}

/** `graph` with the class branches scaled and shifted so that their logits on `inputs` are those of a trained detector. */
async function withTrainedLogits(
  graph: Graph,
  inputs: CalibrationImages,
  runner: GraphRunner,
): Promise<Graph> {
  const logits = await classLogits(graph, inputs, runner)
  const initializers = new Map<string, FloatTensor>()
  for (const { cls } of findHead(graph).levels) {
    const seen = logits.get(cls.value)!
    const mean = seen.reduce((sum, logit) => sum + logit, 0) / seen.length
    const scale =
      (largestLogit - meanLogit) / (seen.reduce((most, logit) => Math.max(most, logit), -Infinity) - mean)
    const [weight, bias] = cls.node.inputs.slice(1).map((name) => graph.initializers.get(name) as FloatTensor)
    initializers.set(cls.node.inputs[1]!, { ...weight!, data: weight!.data.map((each) => scale * each) })
    initializers.set(cls.node.inputs[2]!, {
      ...bias!,
      data: bias!.data.map((each) => scale * (each - mean) + meanLogit),
    })
  }
  return applyPatch(graph, { initializers })
}

function kept(pictures: readonly Uint8Array[]): CalibrationImages {
  return { count: pictures.length, read: (index) => Promise.resolve(pictures[index]!) }
}

/** A conveyor with parts, or patches of random colors and sizes; some of either in other light, some with noise. */
function widePicture(random: Random): Uint8Array {
  const scene =
    random.next() < 0.5 ? drawScene(planScene(random.integer(1e6)), side, side).pixels : patches(random)
  const [gain, noise] = [0.6 + 0.6 * random.next(), random.next() < 0.5 ? 0 : 12 * random.next()]
  return scene.map((byte) => Math.min(255, Math.max(0, gain * byte + noise * random.normal())))
}

function patches(random: Random): Uint8Array {
  const pixels = new Uint8Array(side * side * 3)
  for (let count = 4 + random.integer(20); count > 0; count--) {
    const color = [random.integer(256), random.integer(256), random.integer(256)]
    const [left, top] = [random.integer(side), random.integer(side)]
    const [right, bottom] = [left + 4 + random.integer(side / 2), top + 4 + random.integer(side / 2)]
    for (let y = top; y < Math.min(side, bottom); y++)
      for (let x = left; x < Math.min(side, right); x++) pixels.set(color, 3 * (y * side + x))
  }
  return pixels
}

/** One to eight pictures: even ones, dark ones with noise, faint ones, or an empty conveyor in one light. */
function narrowPictures(random: Random): CalibrationImages {
  const kind = random.integer(4)
  const level = random.integer(200)
  const picture = (): Uint8Array => {
    const own = level + random.integer(16)
    if (kind === 0) return new Uint8Array(side * side * 3).fill(own)
    if (kind === 1) return new Uint8Array(side * side * 3).map(() => Math.abs(5 * random.normal()))
    const wide =
      kind === 2 ? patches(random) : drawScene({ ...planScene(7), parts: [], clutter: [] }, side, side).pixels
    return wide.map((byte) => own + byte / 16)
  }
  return kept(Array.from({ length: 1 + random.integer(8) }, picture))
}
