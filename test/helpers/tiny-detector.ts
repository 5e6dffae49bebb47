/**
 * A detector in a few nodes: it always sees one box, with the mean brightness of the picture as its score.
 * So a test can tell from a detection which pixels the model has seen.
 */

import type { ModelDescription } from '../../src/yolo/model-description.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { tinyModel, type TinyNode } from './tiny-model.js'

const UINT8 = 2

export interface TinyDetectorOptions {
  readonly layout?: ModelDescription['inputLayout']
  /** Input width and height, a multiple of 32. */
  readonly size?: number
  /** What the score is divided by: 0 gives outputs that are not numbers. */
  readonly divisor?: number
  /** Work that changes nothing: a matrix of `side` x `side` floats, and how often it is multiplied with itself. */
  readonly burden?: { readonly side: number; readonly products: number }
}

/** Brightness is spread over a matrix of equal values, multiplied, and taken back as the mean: the same brightness. */
function burdenNodes(products: number): readonly TinyNode[] {
  const chain = Array.from({ length: products }, (_, index): TinyNode[] => [
    { opType: 'MatMul', inputs: [`matrix${index}`, 'spread'], outputs: [`product${index}`] },
    { opType: 'Div', inputs: [`product${index}`, 'side'], outputs: [`matrix${index + 1}`] },
  ])
  return [
    { opType: 'Mul', inputs: ['column', 'brightness'], outputs: ['column_of_it'] },
    { opType: 'Mul', inputs: ['column_of_it', 'row'], outputs: ['matrix0'] },
    { opType: 'Add', inputs: ['column', 'row'], outputs: ['spread'] },
    ...chain.flat(),
    {
      opType: 'ReduceMean',
      inputs: [`matrix${products}`],
      outputs: ['mean'],
      attributes: { keepdims: 0 },
    },
  ]
}

/** The model and its description; one class, `thing`. */
export function tinyDetector(options: TinyDetectorOptions = {}): {
  readonly bytes: Uint8Array
  readonly description: ModelDescription
} {
  const { layout = 'nchw-float', size = 32, divisor = 1, burden } = options
  const isBytes = layout === 'nhwc-uint8'
  const anchors = (size / 8) ** 2 + (size / 16) ** 2 + (size / 32) ** 2
  const boxes = [size / 2, size / 2, size / 4, size / 4, 0].flatMap((value) =>
    new Array<number>(anchors).fill(value),
  )
  const mask = boxes.map((_, index) => (index === 4 * anchors ? 1 : 0))
  const nodes: TinyNode[] = [
    ...(isBytes ? [{ opType: 'Cast', inputs: ['images'], outputs: ['pixels'], attributes: { to: 1 } }] : []),
    {
      opType: 'ReduceMean',
      inputs: [isBytes ? 'pixels' : 'images'],
      outputs: [burden === undefined ? 'mean' : 'brightness'],
      attributes: { keepdims: 0 },
    },
    ...(burden === undefined ? [] : burdenNodes(burden.products)),
    { opType: 'Div', inputs: ['mean', 'divisor'], outputs: ['score'] },
    { opType: 'Mul', inputs: ['mask', 'score'], outputs: ['scores'] },
    { opType: 'Add', inputs: ['boxes', 'scores'], outputs: ['output0'] },
  ]
  const bytes = tinyModel({
    nodes,
    inputs: [
      isBytes
        ? { name: 'images', dims: [1, size, size, 3], elementType: UINT8 }
        : { name: 'images', dims: [1, 3, size, size] },
    ],
    outputs: [{ name: 'output0', dims: [1, 5, anchors] }],
    constants: [
      { name: 'boxes', dims: [1, 5, anchors], data: boxes },
      { name: 'mask', dims: [1, 5, anchors], data: mask },
      { name: 'divisor', dims: [1], data: [isBytes ? divisor * 255 : divisor] },
      ...(burden === undefined
        ? []
        : [
            { name: 'column', dims: [burden.side, 1], data: new Array<number>(burden.side).fill(1) },
            { name: 'row', dims: [1, burden.side], data: new Array<number>(burden.side).fill(1) },
            { name: 'side', dims: [1], data: [burden.side * 2] },
          ]),
    ],
  })
  return {
    bytes,
    description: {
      inputName: 'images',
      inputLayout: layout,
      inputWidth: size,
      inputHeight: size,
      classNames: ['thing'],
      output: { kind: 'decoded', name: 'output0' },
    },
  }
}

/** A square frame in shared memory, every byte `value`, after `byteOffset` bytes of something else. */
export function plainFrame(
  size: number,
  value: number,
  byteOffset = 0,
): { pixels: SharedArrayBuffer; byteOffset: number; letterbox: ReturnType<typeof letterbox> } {
  const pixels = new SharedArrayBuffer(byteOffset + size * size * 3)
  new Uint8Array(pixels, byteOffset).fill(value)
  const square = { width: size, height: size }
  return { pixels, byteOffset, letterbox: letterbox(square, square) }
}
