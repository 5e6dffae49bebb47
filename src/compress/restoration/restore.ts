/**
 * Restoration without gradients: after channels have gone, the remaining weights are re-fitted, convolution by
 * convolution, to what the original network answered. The inputs of each fit come from the pruned network with all
 * earlier convolutions already restored, the targets from the original one: accumulated error is fitted away too.
 */

import { present } from '../../base/assert.js'
import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import type { Tensor } from '../../onnx/tensor.js'
import { geometryOf, unfoldAt } from './convolution-geometry.js'
import { fitBiases } from './fit-biases.js'
import { type Fit, type FitOptions, fitWeights } from './fit-weights.js'
import { type Matrix, MatrixProducts } from './matrix-products.js'
import { activationAfter } from './activation-after.js'
import type { ActivationName, FitRows } from './step-graph.js'
import { featureMap } from './observe.js'
import { packRows, unpackRows } from './packed-weights.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { GraphRunner } from '../ports.js'
import { type LayerTarget, restorableConvolutions, type Targets } from './targets.js'
import { walkConvolutions } from './walk-convolutions.js'

/** `bias`: only biases, so that mean answers agree. `lsq`: ridge least squares of weights and biases. */
export type RestoreMethod = 'bias' | 'lsq'

export interface RestoreOptions extends FitOptions {
  readonly method: RestoreMethod
}

/** One re-fitted convolution; errors are relative to the variance of the original answer, behind the activation. */
export interface RestoredLayer {
  readonly name: string
  readonly errorBefore: number
  readonly errorAfter: number
}

export interface Restoration {
  readonly graph: Graph
  readonly layers: readonly RestoredLayer[]
}

/** What pruning changed, by the name of a convolution. */
export interface PrunedConvolutions {
  /** The original output channels that it still has; all where absent. */
  readonly keptRows: ReadonlyMap<string, readonly number[]>
  /** Convolutions that read fewer channels than before or have other weights: where restoration begins. */
  readonly changed: ReadonlySet<string>
}

/**
 * Restores `graph`, whose convolutions carry the names of the original ones. Convolutions that nothing changed and
 * that read only unchanged values are left as they are.
 */
export async function restore(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  targets: Targets,
  pruned: PrunedConvolutions,
  options: RestoreOptions,
  onLayer: (done: number, layers: number) => void = () => undefined,
): Promise<Restoration> {
  const affected = affectedNodes(run.graph, pruned.changed)
  const stops = restorableConvolutions(run.graph).filter(
    (node) => affected.has(node) && targets.has(node.name),
  )
  const weights = new Map<ValueName, Tensor>(run.graph.initializers)
  const changed = new Map<ValueName, Tensor>()
  const layers: RestoredLayer[] = []
  const products = await MatrixProducts.open(run.runner)
  try {
    await walkConvolutions(run, stops, weights, async (node, inputs) => {
      const target = present(targets.get(node.name), 'stops are filtered by targets')
      const start = packRows(node, weights)
      const pairs = pairsOf(run.graph, node, inputs, { target, kept: pruned.keptRows.get(node.name) })
      const fit =
        options.method === 'lsq'
          ? await fitLeastSquares(start, pairs, {
              activation: activationAfter(run.graph, node),
              runner: run.runner,
              options,
            })
          : await fitBiases(start, pairs, activationAfter(run.graph, node), products)
      layers.push({ name: node.name, errorBefore: fit.errorBefore, errorAfter: fit.errorAfter })
      for (const [name, tensor] of unpackRows(node, weights, fit.weights)) {
        weights.set(name, tensor)
        changed.set(name, tensor)
      }
      onLayer(layers.length, stops.length)
    })
  } finally {
    await products.close()
  }
  return { graph: applyPatch(run.graph, { initializers: changed }), layers }
}

/** The named nodes and all that read from them. */
function affectedNodes(graph: Graph, changed: ReadonlySet<string>): ReadonlySet<Node> {
  const affected = new Set<Node>()
  const values = new Set<ValueName>()
  for (const node of graph.nodes) {
    if (!changed.has(node.name) && !node.inputs.some((input) => values.has(input))) continue
    affected.add(node)
    for (const output of node.outputs) values.add(output)
  }
  return affected
}

/** Patches and wanted answers by sample, unfolded when they are asked for. */
type Pairs = (samples: (sample: number) => boolean) => Iterable<{
  readonly patches: Matrix
  readonly answers: Matrix
}>

function pairsOf(
  graph: Graph,
  node: Node,
  inputs: readonly Tensor[],
  about: { readonly target: LayerTarget; readonly kept: readonly number[] | undefined },
): Pairs {
  const geometry = geometryOf(graph, node)
  const { target, kept } = about
  return function* (samples) {
    for (const [sample, input] of inputs.entries()) {
      if (!samples(sample)) continue
      const places = target.places[sample]!
      const data = unfoldAt(featureMap(input, node.inputs[0]!), geometry, places, target.outputWidth)
      const matrix = target.answers[sample]!
      yield {
        patches: { rows: places.length, columns: data.length / places.length, data },
        answers: kept === undefined ? matrix : takeColumns(matrix, kept),
      }
    }
  }
}

/** Every fourth sample is held out, to stop the fit by. */
function fitLeastSquares(
  start: Matrix,
  pairs: Pairs,
  by: {
    readonly activation: ActivationName
    readonly runner: GraphRunner
    readonly options: FitOptions
  },
): Promise<Fit> {
  const fitted = stacked(
    pairs((sample) => sample % 4 !== 3),
    by.activation,
  )
  const held =
    stacked(
      pairs((sample) => sample % 4 === 3),
      by.activation,
    ) ?? fitted
  if (fitted === undefined || held === undefined) throw new TypeError('there is at least one sample')
  return fitWeights(start, { fitted, held, activation: by.activation }, by.runner, by.options)
}

/** All rows as one matrix, the answers behind the activation. */
function stacked(pairs: ReturnType<Pairs>, activation: ActivationName): FitRows | undefined {
  const all = [...pairs]
  if (all.length === 0) return undefined
  const answers = joined(all.map((pair) => pair.answers))
  if (activation === 'silu')
    for (let at = 0; at < answers.data.length; at++) answers.data[at]! /= 1 + Math.exp(-answers.data[at]!)
  if (activation === 'relu')
    for (let at = 0; at < answers.data.length; at++) answers.data[at] = Math.max(0, answers.data[at]!)
  return { patches: joined(all.map((pair) => pair.patches)), answers }
}

function joined(parts: readonly Matrix[]): Matrix {
  const columns = parts[0]!.columns
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const data = new Float32Array(rows * columns)
  let offset = 0
  for (const part of parts) {
    data.set(part.data, offset)
    offset += part.data.length
  }
  return { rows, columns, data }
}

function takeColumns(matrix: Matrix, columns: readonly number[]): Matrix {
  const data = new Float32Array(matrix.rows * columns.length)
  for (let row = 0, at = 0; row < matrix.rows; row++) {
    for (const column of columns) data[at++] = matrix.data[row * matrix.columns + column]!
  }
  return { rows: matrix.rows, columns: columns.length, data }
}
