/**
 * The deployed form of a detector: bytes in, raw head logits out.
 * Invariant: decoded detections equal those of the export up to rounding in the last place of the scale by 255; an export in half
 * precision is computed in single precision, with the very same weights.
 */

import type { Graph } from '../onnx/graph.js'
import { cutTail } from './passes/cut-tail.js'
import { eliminateDeadNodes } from './passes/eliminate-dead-nodes.js'
import { eliminateIdentity } from './passes/eliminate-identity.js'
import { foldConstants } from './passes/fold-constants.js'
import { fuseBatchNorm } from './passes/fuse-batch-norm.js'
import { singlePrecision } from './passes/single-precision.js'
import { uint8Input } from './passes/uint8-input.js'
import { upgradeOpset } from './passes/upgrade-opset.js'
import { type PassListener, runPasses } from './run-passes.js'

/** In this order: one kind of float, then the tail goes before anything has to understand it. */
const edgePasses = [
  singlePrecision,
  cutTail,
  eliminateDeadNodes,
  upgradeOpset,
  foldConstants,
  eliminateIdentity,
  fuseBatchNorm,
  uint8Input,
] as const

/** The edge form of `graph`; a graph in that form already comes back as it is. `onPass` hears each pass. Throws `model.*`. */
export function toEdgeForm(graph: Graph, onPass?: PassListener): Graph {
  return runPasses(graph, edgePasses, onPass)
}
