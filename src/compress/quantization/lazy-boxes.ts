/**
 * The rewrite that computes boxes only where something was seen: the box branches of the head are a sixth of YOLOv8n's
 * arithmetic, and a picture has objects in few places.
 *
 *      Before: feature map --- convolutions --- box logits of every cell
 *      After:  class logits --- best of each tile >= min_logit --- tiles --- their part of the feature map --- convolutions
 *
 * Conditions: a model in integer form; a box branch of convolutions of stride 1 that keep the size of the map, each with or
 * without SiLU behind it, which nobody else reads; enough arithmetic in it to be worth a dozen small operators.
 * Exactness: bit for bit. A tile is taken with as many cells around it as its convolutions look beyond it; cells outside of the map
 * are zero before each of them, as padding is.
 * Cost where every tile passes: what tiles overlap by, a twentieth of the whole model.
 */

import { present } from '../../base/assert.js'
import { intAttribute, intOf, intsAttribute, intsOf } from '../../onnx/attributes.js'
import { type Graph, indexOf, type Node, type ValueName } from '../../onnx/graph.js'
import { opsetOf } from '../../onnx/opset.js'
import { applyPatch } from '../../onnx/patch.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import type { Tensor } from '../../onnx/tensor.js'
import { type LazyLevel, lazyBoxesEntry, lazyBoxesOf } from '../../yolo/lazy-boxes.js'
import { describeModel } from '../../yolo/model-description.js'
import { GraphBuilder } from './graph-builder.js'

/** The input that says from which class logit on boxes are computed. */
export const thresholdInput = 'min_logit'

/** Sides of a tile, best first where they divide a map equally well: smaller ones skip more, larger ones overlap less. */
const tileSides = [8, 9, 10, 11, 12, 7]
/** Multiply-accumulates of a branch from which on it is worth it. */
const macsMin = 20e6

/** A convolution of a branch, and what makes its SiLU if it has one. */
interface Stage {
  readonly convolution: Node
  readonly sigmoid: Node | undefined
  readonly product: Node | undefined
  /** Cells that the kernel looks beyond its own. */
  readonly reach: number
}

interface Branch {
  /** `[1, height, width, C]`; others read it too. */
  readonly feature: ValueName
  /** From the feature map to the box logits. */
  readonly stages: readonly Stage[]
}

/** A map cut into tiles. */
interface Tiling {
  readonly height: number
  readonly width: number
  /** Cells of a tile. */
  readonly tileHeight: number
  readonly tileWidth: number
  /** Tiles. */
  readonly rows: number
  readonly columns: number
}

/** `graph` with lazy boxes on every level that meets the conditions; the same graph where none does. */
export function withLazyBoxes(graph: Graph): Graph {
  const { output } = describeModel(graph)
  if (output.kind !== 'heads' || lazyBoxesOf(graph.metadata) !== undefined) return graph
  const builder = new GraphBuilder()
  const removed: Node[] = []
  const levels: LazyLevel[] = []
  for (const { box, cls } of output.levels) {
    const branch = branchOf(graph, box)
    const tiling = branch === undefined ? undefined : tilingOf(graph, branch)
    if (branch === undefined || tiling === undefined || byteParams(graph, cls) === undefined) continue
    const level = {
      box,
      cls,
      tiles: { name: `${box}_tiles`, height: tiling.tileHeight, width: tiling.tileWidth },
    }
    new LevelWriter(graph, builder, level, tiling).write(branch)
    removed.push(...branch.stages.flatMap(nodesOf))
    levels.push(level)
  }
  if (levels.length === 0) return graph
  const lazy = new Map(levels.map((level) => [level.box, level]))
  return applyPatch(graph, {
    remove: removed,
    add: builder.nodes,
    initializers: builder.initializers,
    inputs: [...graph.inputs, { name: thresholdInput, type: 'float32', shape: [1] }],
    outputs: [
      ...graph.outputs.map((each) => {
        const tiles = lazy.get(each.name)?.tiles
        if (tiles === undefined) return each
        return { ...each, shape: [tiles.name, tiles.height, tiles.width, each.shape[3]] }
      }),
      ...levels.map(({ tiles: { name } }) => ({ name, type: 'int32' as const, shape: [name] })),
    ],
    metadata: new Map([...graph.metadata, lazyBoxesEntry({ threshold: thresholdInput, levels })]),
  })
}

function nodesOf({ convolution, sigmoid, product }: Stage): readonly Node[] {
  return [convolution, sigmoid, product].filter((node) => node !== undefined)
}

/** The chain of convolutions that `box` comes from, back to a value that others read as well. */
function branchOf(graph: Graph, box: ValueName): Branch | undefined {
  const { usersOf, isOutput } = indexOf(graph)
  const stages: Stage[] = []
  let value = box
  for (let stage = stageOf(graph, value); stage !== undefined; stage = stageOf(graph, value)) {
    if (stages.length > 0 && (usersOf(value).length > 1 || isOutput(value))) break
    stages.unshift(stage)
    value = stage.convolution.inputs[0]!
  }
  return stages.length === 0 || usersOf(box).length > 0 ? undefined : { feature: value, stages }
}

/** The convolution, with its SiLU, that makes `value`; undefined where something else does. */
function stageOf(graph: Graph, value: ValueName): Stage | undefined {
  const { producerOf, usersOf } = indexOf(graph)
  const last = producerOf(value)
  if (last?.opType === 'QLinearConv') return stage(last, undefined, undefined)
  if (last?.opType !== 'QLinearMul') return undefined
  const factors = [last.inputs[0]!, last.inputs[3]!]
  const sigmoid = factors.map(producerOf).find((node) => node?.opType === 'QLinearSigmoid')
  const source = sigmoid?.inputs[0]
  if (sigmoid === undefined || source === undefined || !factors.includes(source)) return undefined
  const isSiluOnly =
    usersOf(source).every((user) => user === sigmoid || user === last) &&
    usersOf(sigmoid.outputs[0]!).every((user) => user === last)
  const convolution = producerOf(source)
  return isSiluOnly && convolution?.opType === 'QLinearConv' ? stage(convolution, sigmoid, last) : undefined

  function stage(convolution: Node, sigmoid: Node | undefined, product: Node | undefined): Stage | undefined {
    const reach = reachOf(convolution)
    return reach === undefined ? undefined : { convolution, sigmoid, product, reach }
  }
}

/** How far a channels-last convolution that keeps the size of its map looks; undefined for others. */
function reachOf(node: Node): number | undefined {
  const [rows = 0, columns] = intsOf(node, 'kernel_shape') ?? []
  const pads = intsOf(node, 'pads') ?? [0, 0, 0, 0]
  const reach = (rows - 1) / 2
  const keepsSize =
    Number.isInteger(reach) &&
    rows === columns &&
    pads.every((pad) => pad === reach) &&
    [...(intsOf(node, 'strides') ?? []), ...(intsOf(node, 'dilations') ?? [])].every((step) => step === 1)
  return keepsSize && intOf(node, 'channels_last', 0) === 1 ? reach : undefined
}

/** How to cut the map of `branch`; undefined where that is not worth it. */
function tilingOf(graph: Graph, { feature, stages }: Branch): Tiling | undefined {
  const [batch, height, width] = shapesOf(graph).staticShapeOf(feature) ?? []
  if (batch !== 1 || height === undefined || width === undefined) return undefined
  const weights = stages.map(
    ({ convolution }) => graph.initializers.get(convolution.inputs[3]!)?.data.length ?? 0,
  )
  if (weights.reduce((sum, count) => sum + count, 0) * height * width < macsMin) return undefined
  const [tileHeight, tileWidth] = [tileSide(height), tileSide(width)]
  return {
    height,
    width,
    tileHeight,
    tileWidth,
    rows: Math.ceil(height / tileHeight),
    columns: Math.ceil(width / tileWidth),
  }
}

/** The side whose multiples reach the least beyond `cells`. */
function tileSide(cells: number): number {
  const waste = (side: number): number => (side - (cells % side)) % side
  return tileSides.reduce((best, side) => (waste(side) < waste(best) ? side : best))
}

/** Scale and zero point of an output of bytes that a convolution makes. */
function byteParams(graph: Graph, output: ValueName): readonly [ValueName, ValueName] | undefined {
  const node = indexOf(graph).producerOf(output)
  if (node?.opType !== 'QLinearConv' || indexOf(graph).usersOf(output).length > 0) return undefined
  const [, , , , , , scale = '', zero = ''] = node.inputs
  return graph.initializers.get(zero)?.type === 'uint8' ? [scale, zero] : undefined
}

/** Writes one level. */
class LevelWriter {
  readonly #graph: Graph
  readonly #builder: GraphBuilder
  readonly #level: LazyLevel
  readonly #tiling: Tiling

  constructor(graph: Graph, builder: GraphBuilder, level: LazyLevel, tiling: Tiling) {
    this.#graph = graph
    this.#builder = builder
    this.#level = level
    this.#tiling = tiling
  }

  write({ feature, stages }: Branch): void {
    const numbers = this.#passingTiles()
    let reach = stages.reduce((sum, stage) => sum + stage.reach, 0)
    const [first] = stages
    let value = this.#cutOut(feature, first!.convolution.inputs[2]!, reach, numbers)
    for (const [index, stage] of stages.entries()) {
      reach -= stage.reach
      value = this.#stage(stage, value, index === stages.length - 1 ? this.#level.box : undefined)
      if (reach > 0) value = this.#zeroOutside(value, zeroPointOf(stage), reach, numbers)
    }
  }

  /** int64 `[T]`: the numbers of the tiles that have a class logit from the threshold on. */
  #passingTiles(): ValueName {
    const { tileHeight, tileWidth, rows, columns, height, width } = this.#tiling
    const { cls, tiles } = this.#level
    const builder = this.#builder
    const best = this.#name('best')
    const side = [tileHeight, tileWidth]
    builder.op('NhwcMaxPool', [cls], [`${best}/classes`], {
      microsoft: true,
      attributes: {
        kernel_shape: intsAttribute(side),
        strides: intsAttribute(side),
        pads: intsAttribute([0, 0, rows * tileHeight - height, columns * tileWidth - width]),
      },
    })
    // Newer operator sets take the axes as an input.
    const takesAxes = opsetOf(this.#graph, '') >= 18
    const axes = takesAxes ? [builder.ints([3])] : []
    builder.op('ReduceMax', [`${best}/classes`, ...axes], [`${best}/bytes`], {
      attributes: { keepdims: intAttribute(0), ...(!takesAxes && { axes: intsAttribute([3]) }) },
    })
    builder.op('Reshape', [`${best}/bytes`, builder.ints([-1])], [`${best}/row`])
    builder.op('DequantizeLinear', [`${best}/row`, ...byteParams(this.#graph, cls)!], [best])
    const passes = this.#name('passes')
    builder.op('GreaterOrEqual', [best, thresholdInput], [passes])
    builder.op('NonZero', [passes], [`${passes}/places`])
    const numbers = this.#name('numbers')
    builder.op('Reshape', [`${passes}/places`, builder.ints([-1])], [numbers])
    const int32 = 6
    builder.op('Cast', [numbers], [tiles.name], { attributes: { to: intAttribute(int32) } })
    return numbers
  }

  /** `[T, tile + 2 reach, tile + 2 reach, C]`: the tiles of `feature` with `reach` cells around them. */
  #cutOut(feature: ValueName, zero: ValueName, reach: number, numbers: ValueName): ValueName {
    const { height, width, rows, columns, tileHeight, tileWidth } = this.#tiling
    const builder = this.#builder
    const channels = present(shapesOf(this.#graph).staticShapeOf(feature), 'a tiled map has a size')[3]!
    const paddedHeight = rows * tileHeight + 2 * reach
    const paddedWidth = columns * tileWidth + 2 * reach
    const padded = this.#name('padded')
    const behind = [paddedHeight - height - reach, paddedWidth - width - reach]
    builder.op('Pad', [feature, builder.ints([0, reach, reach, 0, 0, ...behind, 0]), zero], [padded])
    builder.op('Reshape', [padded, builder.ints([paddedHeight * paddedWidth, channels])], [`${padded}/cells`])
    const side = [tileHeight + 2 * reach, tileWidth + 2 * reach] as const
    const corners = this.#corners().map(({ top, left }) => top * paddedWidth + left)
    const steps = cellsOf(side).map(({ row, column }) => row * paddedWidth + column)
    const [corner, step] = [
      builder.constant(this.#name('corners'), int32Tensor([corners.length, 1], corners)),
      builder.constant(this.#name('steps'), int32Tensor([steps.length], steps)),
    ]
    const taken = this.#name('taken')
    builder.op('Gather', [corner, numbers], [`${taken}/corners`])
    builder.op('Add', [`${taken}/corners`, step], [`${taken}/places`])
    builder.op('Gather', [`${padded}/cells`, `${taken}/places`], [`${taken}/cells`])
    builder.op('Reshape', [`${taken}/cells`, builder.ints([-1, ...side, channels])], [taken])
    return taken
  }

  /** The nodes of `stage` on tiles: the cells around them take the place of padding. */
  #stage(
    { convolution, sigmoid, product }: Stage,
    input: ValueName,
    output: ValueName | undefined,
  ): ValueName {
    const made = (node: Node, isLast: boolean): ValueName =>
      isLast && output !== undefined ? output : this.#name(node.outputs[0]!)
    const source = convolution.outputs[0]!
    const renamed = new Map([[convolution.inputs[0]!, input]])
    const last = product ?? convolution
    for (const node of [convolution, sigmoid, product]) {
      if (node === undefined) continue
      const name = made(node, node === last)
      this.#builder.nodes.push({
        ...node,
        name: this.#name(node.name),
        inputs: node.inputs.map((each) => renamed.get(each) ?? each),
        outputs: [name],
        attributes:
          node === convolution
            ? new Map([...node.attributes, ['pads', intsAttribute([0, 0, 0, 0])]])
            : node.attributes,
      })
      renamed.set(node === convolution ? source : node.outputs[0]!, name)
    }
    return renamed.get(last.outputs[0]!)!
  }

  /** `value`, tiles with `reach` cells around them, with `zero` where they lie outside of the map. */
  #zeroOutside(value: ValueName, zero: ValueName, reach: number, numbers: ValueName): ValueName {
    const { height, width, tileHeight, tileWidth } = this.#tiling
    const builder = this.#builder
    const side = [tileHeight + 2 * reach, tileWidth + 2 * reach] as const
    const corners = this.#corners()
    const inside = corners.flatMap(({ top, left }) =>
      cellsOf(side).map((cell) => {
        const [row, column] = [top + cell.row - reach, left + cell.column - reach]
        return Number(row >= 0 && row < height && column >= 0 && column < width)
      }),
    )
    const table = builder.constant(this.#name(`inside_${reach}`), {
      type: 'bool',
      dims: [corners.length, ...side, 1],
      data: Uint8Array.from(inside),
    })
    const kept = `${value}/inside`
    builder.op('Gather', [table, numbers], [`${kept}/places`])
    builder.op('Where', [`${kept}/places`, value, zero], [kept])
    return kept
  }

  /** The first cell of each tile, by its number. */
  #corners(): readonly { readonly top: number; readonly left: number }[] {
    const { rows, columns, tileHeight, tileWidth } = this.#tiling
    return Array.from({ length: rows * columns }, (_, number) => ({
      top: Math.floor(number / columns) * tileHeight,
      left: (number % columns) * tileWidth,
    }))
  }

  #name(of: string): string {
    return `${this.#level.box}/lazy/${of}`
  }
}

/** The cells of a rectangle, row by row. */
function cellsOf([height, width]: readonly [number, number]): readonly {
  readonly row: number
  readonly column: number
}[] {
  return Array.from({ length: height * width }, (_, at) => ({
    row: Math.floor(at / width),
    column: at % width,
  }))
}

function int32Tensor(dims: readonly number[], values: readonly number[]): Tensor {
  return { type: 'int32', dims, data: Int32Array.from(values) }
}

/** Of what a stage makes. */
function zeroPointOf({ convolution, product }: Stage): ValueName {
  return (product ?? convolution).inputs[7]!
}
