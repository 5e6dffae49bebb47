/**
 * What a program must know of a YOLOv8 detector to run it: its input, its classes, and the form of its outputs.
 * Invariant: a description is plain data (it crosses threads), and every size in it is known.
 */

import { AgentError } from '../base/errors.js'
import type { Dim, Graph, ValueInfo } from '../onnx/graph.js'
import { type ByteScale, byteScaleOf } from './byte-scale.js'
import { numberedClassNames, parseClassNames } from './class-names.js'
import { type DecodedOutput, describeFlat, type FinalOutput, finalRow } from './flat-outputs.js'
import { type BoxTiles, type LazyBoxes, lazyBoxesOf } from './lazy-boxes.js'
import { exportRemedy, type InputLayout, type PictureInput, pictureInputOf } from './picture-input.js'

/**
 * One level of a head without its tail. Outputs are float32 `[1, C, h, w]`, or with a scale uint8 `[1, h, w, C]`; boxes by tiles
 * are `[T, tile height, tile width, C]`.
 */
export interface HeadLevel {
  /** Input pixels per cell: 8, 16, 32. */
  readonly stride: number
  /** Output of 64 channels: logits of the four box sides (left, top, right, bottom), 16 bins each. */
  readonly box: string
  /** Output of a channel a class: class logits. */
  readonly cls: string
  readonly boxScale?: ByteScale
  readonly clsScale?: ByteScale
  /** Where boxes are computed for some tiles of the map only. */
  readonly tiles?: BoxTiles
}

export interface ModelDescription {
  readonly inputName: string
  /** `[1, 3, H, W]` or `[1, H, W, 3]`, RGB; floats in 0..1, bytes in 0..255. */
  readonly inputLayout: InputLayout
  /** Where floats are in 0..255, because the graph divides them itself. */
  readonly inputMax?: 255
  readonly inputWidth: number
  readonly inputHeight: number
  /** By class index. */
  readonly classNames: readonly string[]
  readonly output:
    | DecodedOutput
    | FinalOutput
    | {
        readonly kind: 'heads'
        /** By rising stride. */
        readonly levels: readonly HeadLevel[]
        /** Of a model with lazy boxes: the input float32 `[1]` with the class logit from which they are computed. */
        readonly thresholdName?: string
      }
}

/** The largest stride of every YOLOv8 detector but the P6 ones; inputs are multiples of it. */
const largestStride = 32
const boxChannels = 64

interface Size {
  readonly width: number
  readonly height: number
}

/**
 * Describes a detection model in export form, in edge form, or with the input of one and the outputs of the other.
 * A dynamic input takes its size from `inputSize`, else from the export's `imgsz`.
 * Throws `model.not_yolov8` with the first thing that does not fit, `model.labels_invalid` for unreadable class names.
 */
export function describeModel(graph: Graph, inputSize?: Size): ModelDescription {
  const task = graph.metadata.get('task')
  if (task !== undefined && task !== 'detect') {
    throw refused(`its task is ${JSON.stringify(task)}, expected "detect"`)
  }
  const names = graph.metadata.get('names')
  const classNames = names === undefined ? undefined : parseClassNames(names)
  const lazy = lazyBoxesOf(graph.metadata)
  const { input, picture, size } = describeInput(graph, inputSize, lazy)
  const outputs = headOutputs(graph, lazy)
  const common = {
    inputName: input.name,
    inputLayout: picture.layout,
    ...(picture.max === 255 && !picture.layout.endsWith('uint8') && { inputMax: picture.max }),
    inputWidth: size.width,
    inputHeight: size.height,
  }
  if (outputs.every((output) => output.shape.length === 4) && outputs.length >= 2) {
    return { ...common, ...describeHeads(outputs, size, classNames, lazy) }
  }
  return { ...common, ...describeFlat(graph, outputs, size, classNames) }
}

/**
 * Throws `model.op_unsupported` where `model` has no raw heads to work on: compression and training change what stands before them.
 */
export function requireRawHeads({ output }: ModelDescription): void {
  if (output.kind !== 'boxes') return
  throw new AgentError(
    'model.op_unsupported',
    `the model selects its final boxes itself (output ${output.name} [1,N,${finalRow}]), expected one whose overlapping boxes are removed outside`,
    {
      hint: 'export it with nms=None (yolo export model=... format=onnx nms=None); as it is it can be served',
    },
  )
}

/** An output, with the shape that it has or would have in channels-first layout. */
interface PlaneOutput extends ValueInfo {
  readonly scale?: ByteScale
  readonly tiles?: BoxTiles
}

/** The box and class logits of `graph`; boxes by tiles have the size of their whole map. */
function headOutputs(graph: Graph, lazy: LazyBoxes | undefined): readonly PlaneOutput[] {
  const byBox = new Map(lazy?.levels.map((level) => [level.box, level]))
  const tileNames = new Set(lazy?.levels.map(({ tiles }) => tiles.name))
  return graph.outputs
    .filter(({ name }) => !tileNames.has(name))
    .map((output) => {
      const planes = asPlanes(output, graph.metadata)
      const level = byBox.get(output.name)
      const cls = graph.outputs.find(({ name }) => name === level?.cls)
      if (level === undefined || cls === undefined) return planes
      const [, channels] = planes.shape
      const [batch, , height, width] = asPlanes(cls, graph.metadata).shape
      return { ...planes, shape: [batch, channels, height, width], tiles: level.tiles }
    })
}

function asPlanes(output: ValueInfo, metadata: ReadonlyMap<string, string>): PlaneOutput {
  if (output.type === 'float32') return output
  const scale = output.type === 'uint8' ? byteScaleOf(metadata, output.name) : undefined
  const [batch, height, width, channels] = output.shape
  if (scale === undefined || output.shape.length !== 4) {
    const found = output.type === 'uint8' && scale === undefined ? 'uint8 without a scale' : output.type
    throw refused(`output ${output.name} is ${found}, expected float32`)
  }
  return { ...output, shape: [batch, channels, height, width], scale }
}

function describeInput(
  graph: Graph,
  given: Size | undefined,
  lazy: LazyBoxes | undefined,
): { input: ValueInfo; picture: PictureInput; size: Size } {
  const [input, ...extra] = graph.inputs.filter(({ name }) => name !== lazy?.threshold)
  if (input === undefined || extra.length > 0) {
    throw refused(
      `it has ${graph.inputs.length} inputs (${graph.inputs.map((each) => each.name).join(', ')}), expected one`,
    )
  }
  const picture = pictureInputOf(graph, input)
  const [batch, ...rest] = input.shape
  if (typeof batch === 'number' && batch !== 1) {
    throw refused(
      `input ${shapeText(input)} takes ${batch} pictures at once, expected a batch of 1`,
      'export it with batch=1',
    )
  }
  const [height, width] = picture.layout.startsWith('nchw') ? [rest[1], rest[2]] : [rest[0], rest[1]]
  const size = {
    width: inputSide('width', width, graph, given),
    height: inputSide('height', height, graph, given),
  }
  if (size.width % largestStride !== 0 || size.height % largestStride !== 0) {
    throw refused(`its input is ${size.width}x${size.height} pixels, expected multiples of ${largestStride}`)
  }
  return { input, picture, size }
}

/** A side of the input: fixed in the graph, or given, or what the export was made for. */
function inputSide(side: 'width' | 'height', dim: Dim, graph: Graph, given: Size | undefined): number {
  if (typeof dim === 'number' && dim > 0) {
    if (given !== undefined && given[side] !== dim) {
      throw refused(`its input ${side} is ${dim}, and ${given[side]} was asked for`)
    }
    return dim
  }
  const exported = exportedSize(graph.metadata.get('imgsz'))
  const size = (given ?? exported)?.[side]
  if (size !== undefined && Number.isSafeInteger(size) && size > 0) return size
  throw refused(
    `its input ${side} is dynamic and the file has no imgsz; an input size must be given`,
    'give it with --size WIDTHxHEIGHT, or export the model with dynamic=False',
  )
}

/** Reads `[height, width]` or one number for both. */
function exportedSize(imgsz: string | undefined): Size | undefined {
  const sides = imgsz?.match(/\d+/g)?.map(Number)
  const [height, width = height] = sides ?? []
  return height === undefined || width === undefined ? undefined : { height, width }
}

function describeHeads(
  outputs: readonly PlaneOutput[],
  size: Size,
  names: readonly string[] | undefined,
  lazy: LazyBoxes | undefined,
): Pick<ModelDescription, 'classNames' | 'output'> {
  const byStride = new Map<number, PlaneOutput[]>()
  for (const output of outputs) {
    const stride = strideOf(output, size)
    byStride.set(stride, [...(byStride.get(stride) ?? []), output])
  }
  const strides = [...byStride.keys()].sort((a, b) => a - b)
  let classNames: readonly string[] | undefined
  const levels = strides.map((stride): HeadLevel => {
    const { box, cls } = headPair(byStride.get(stride)!, stride)
    const classes = cls.shape[1]
    if (typeof classes !== 'number')
      throw refused(`output ${shapeText(cls)} does not tell the number of classes`)
    classNames = checkedNames(classNames ?? names, classes, cls)
    return {
      stride,
      box: box.name,
      cls: cls.name,
      ...(box.scale !== undefined && { boxScale: box.scale }),
      ...(cls.scale !== undefined && { clsScale: cls.scale }),
      ...(box.tiles !== undefined && { tiles: box.tiles }),
    }
  })
  const threshold = lazy !== undefined && { thresholdName: lazy.threshold }
  return { classNames: classNames!, output: { kind: 'heads', levels, ...threshold } }
}

/** Which of two outputs of one level is the box: by name where both could be, else by its 64 channels. */
function headPair(pair: readonly PlaneOutput[], stride: number): { box: PlaneOutput; cls: PlaneOutput } {
  const boxes = pair.filter((output) => output.shape[1] === boxChannels)
  const box = boxes.length === 2 ? boxes.find((output) => output.name.endsWith('box')) : boxes[0]
  const cls = pair.find((output) => output !== box)
  if (pair.length !== 2 || box === undefined || cls === undefined) {
    const found = pair.map(shapeText).join(', ')
    throw refused(`stride ${stride} has the outputs ${found}; expected [1,64,h,w] and [1,classes,h,w]`)
  }
  return { box, cls }
}

function strideOf(output: ValueInfo, size: Size): number {
  const [, , height, width] = output.shape
  if (typeof height !== 'number' || typeof width !== 'number') {
    throw refused(`output ${shapeText(output)} has a dynamic size, expected a fixed one`)
  }
  const stride = size.height / height
  if (stride !== size.width / width || !Number.isInteger(stride)) {
    throw refused(`output ${shapeText(output)} is no grid of the ${size.width}x${size.height} input`)
  }
  return stride
}

function checkedNames(
  names: readonly string[] | undefined,
  classes: number,
  output: ValueInfo,
): readonly string[] {
  if (names === undefined) return numberedClassNames(classes)
  if (names.length === classes) return names
  throw refused(`output ${shapeText(output)} has ${classes} classes, and the metadata names ${names.length}`)
}

function shapeText(value: ValueInfo): string {
  return `${value.name} [${value.shape.map((dim) => dim ?? '?').join(',')}]`
}

function refused(problem: string, hint = exportRemedy): AgentError {
  return new AgentError('model.not_yolov8', `reading a YOLOv8 detection model: ${problem}`, { hint })
}
