/**
 * Random head outputs and the tail of an export applied to them.
 * The tail is written as the export's graph is: softmax over 16 bins, distances to corners, corners to centre and size.
 */

import type { Random } from '../../src/base/random.js'
import { planesOfBytes } from '../../src/yolo/byte-scale.js'
import type { HeadLevel, ModelDescription } from '../../src/yolo/model-description.js'

const levels: readonly HeadLevel[] = [8, 16, 32].map((stride, index) => ({
  stride,
  box: `p${index + 3}_box`,
  cls: `p${index + 3}_cls`,
}))

export function headsModel(side: number, classCount: number): ModelDescription {
  return {
    inputName: 'images',
    inputLayout: 'nhwc-uint8',
    inputWidth: side,
    inputHeight: side,
    classNames: Array.from({ length: classCount }, (_, index) => `class_${index}`),
    output: { kind: 'heads', levels },
  }
}

export function decodedModel(side: number, classCount: number): ModelDescription {
  return { ...headsModel(side, classCount), output: { kind: 'decoded', name: 'output0' } }
}

/** Class logits around `mean` with a standard deviation of `spread`; box logits around 0. */
export function randomHeads(
  side: number,
  classCount: number,
  random: Random,
  { mean, spread }: { mean: number; spread: number },
): Map<string, Float32Array> {
  const outputs = new Map<string, Float32Array>()
  for (const { stride, box, cls } of levels) {
    const cells = (side / stride) ** 2
    outputs.set(
      box,
      Float32Array.from({ length: 64 * cells }, () => 2 * random.normal()),
    )
    outputs.set(
      cls,
      Float32Array.from({ length: classCount * cells }, () => mean + spread * random.normal()),
    )
  }
  return outputs
}

/** What the uncut export would output: `[1, 4 + classes, anchors]`. */
export function exportTail(
  heads: ReadonlyMap<string, Float32Array>,
  side: number,
  classCount: number,
): Map<string, Float32Array> {
  const anchors = levels.reduce((sum, { stride }) => sum + (side / stride) ** 2, 0)
  const output = new Float32Array((4 + classCount) * anchors)
  let first = 0
  for (const { stride, box, cls } of levels) {
    const columns = side / stride
    const cells = columns * columns
    const logits = heads.get(box)!
    const scores = heads.get(cls)!
    for (let cell = 0; cell < cells; cell++) {
      const distance = [0, 1, 2, 3].map((edge) => {
        const bins = Array.from({ length: 16 }, (_, bin) =>
          Math.exp(logits[(16 * edge + bin) * cells + cell]!),
        )
        const sum = bins.reduce((total, bin) => total + bin, 0)
        return bins.reduce((total, bin, index) => total + (index * bin) / sum, 0)
      })
      const anchorX = (cell % columns) + 0.5
      const anchorY = Math.floor(cell / columns) + 0.5
      const [x1, y1] = [anchorX - distance[0]!, anchorY - distance[1]!]
      const [x2, y2] = [anchorX + distance[2]!, anchorY + distance[3]!]
      const rows = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1].map((value) => value * stride)
      for (let row = 0; row < 4; row++) output[row * anchors + first + cell] = rows[row]!
      for (let index = 0; index < classCount; index++) {
        output[(4 + index) * anchors + first + cell] = 1 / (1 + Math.exp(-scores[index * cells + cell]!))
      }
    }
    first += cells
  }
  return new Map([['output0', output]])
}

/**
 * The boxes of `bytes` as a model with lazy boxes outputs them, all levels in tiles of `height` x `width` cells, of which `isComputed` says
 * by number which are there; and the description of such a model.
 */
export function tiledHeads(
  bytes: ReadonlyMap<string, Uint8Array>,
  described: ModelDescription,
  { height, width }: { readonly height: number; readonly width: number },
  isComputed: (tile: number, stride: number) => boolean,
): { readonly outputs: Map<string, Uint8Array | Int32Array>; readonly tiled: ModelDescription } {
  if (described.output.kind !== 'heads') throw new TypeError('the model has heads')
  const outputs = new Map<string, Uint8Array | Int32Array>(bytes)
  const tiledLevels = described.output.levels.map((level) => {
    const [rows, columns] = [described.inputHeight / level.stride, described.inputWidth / level.stride]
    const across = Math.ceil(columns / width)
    const all = Array.from({ length: across * Math.ceil(rows / height) }, (_, tile) => tile)
    const numbers = all.filter((tile) => isComputed(tile, level.stride))
    const map = bytes.get(level.box)!
    const box = new Uint8Array(64 * numbers.length * height * width)
    for (const [position, tile] of numbers.entries()) {
      for (let cell = 0; cell < height * width; cell++) {
        const row = Math.floor(tile / across) * height + Math.floor(cell / width)
        const column = (tile % across) * width + (cell % width)
        if (row >= rows || column >= columns) continue
        const from = 64 * (row * columns + column)
        box.set(map.subarray(from, from + 64), 64 * (position * height * width + cell))
      }
    }
    const name = `${level.box}_tiles`
    outputs.set(level.box, box)
    outputs.set(name, Int32Array.from(numbers))
    return { ...level, tiles: { name, height, width } }
  })
  const output = { kind: 'heads', levels: tiledLevels, thresholdName: 'min_logit' } as const
  return { outputs, tiled: { ...described, output } }
}

/** `heads` rounded to bytes as a model outputs them, the description of such a model, and what the bytes stand for. */
export function byteHeads(
  heads: ReadonlyMap<string, Float32Array>,
  model: ModelDescription,
): {
  readonly bytes: Map<string, Uint8Array>
  readonly rounded: Map<string, Float32Array>
  readonly described: ModelDescription
} {
  const [boxScale, clsScale] = [0.06, 0.05].map((scale) => ({ scale: Math.fround(scale), zeroPoint: 140 }))
  const bytes = new Map<string, Uint8Array>()
  const rounded = new Map<string, Float32Array>()
  for (const { box, cls } of levels) {
    for (const [name, scale] of [
      [box, boxScale!],
      [cls, clsScale!],
    ] as const) {
      const planes = heads.get(name)!
      const channels = name === box ? 64 : model.classNames.length
      const places = planes.length / channels
      const values = Uint8Array.from({ length: planes.length }, (_, at) => {
        const logit = planes[(at % channels) * places + Math.floor(at / channels)]!
        return Math.min(255, Math.max(0, Math.round(logit / scale.scale) + scale.zeroPoint))
      })
      bytes.set(name, values)
      rounded.set(name, planesOfBytes(values, channels, scale))
    }
  }
  const scaled = levels.map((level) => ({ ...level, boxScale: boxScale!, clsScale: clsScale! }))
  return { bytes, rounded, described: { ...model, output: { kind: 'heads', levels: scaled } } }
}
