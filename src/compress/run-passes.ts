/**
 * Runs passes over a graph.
 * Invariant: the graph is checked before the first pass and after each; a pass that breaks a rule is named, and nothing
 * of its result is kept.
 */

import { AgentError, isAgentError, messageOf } from '../base/errors.js'
import { checkGraph, requireValidGraph } from '../onnx/check-graph.js'
import type { Graph } from '../onnx/graph.js'
import { applyPatch, type Patch } from '../onnx/patch.js'

/** One rewrite of the graph. Never mutates. */
export interface Pass {
  readonly name: string
  /** What to change; undefined where there is nothing to do. Throws `model.*` for a graph it has to refuse. */
  patch(graph: Graph): Patch | undefined
}

/** Hears the name of a pass, and the graph that it left; the same one where it had nothing to do. */
export type PassListener = (name: string, graph: Graph) => void

/**
 * Applies `passes` in order and tells `onPass` after each. Throws `model.graph_invalid` for a bad start, `compress.pass_failed` for a
 * bad pass.
 */
export function runPasses(graph: Graph, passes: readonly Pass[], onPass?: PassListener): Graph {
  requireValidGraph(graph)
  return passes.reduce((before, pass) => {
    const after = runPass(before, pass)
    onPass?.(pass.name, after)
    return after
  }, graph)
}

function runPass(graph: Graph, pass: Pass): Graph {
  const patch = pass.patch(graph)
  if (patch === undefined) return graph
  const next = apply(graph, pass, patch)
  const [violation] = checkGraph(next)
  if (violation !== undefined) throw broken(pass, violation)
  return next
}

function apply(graph: Graph, pass: Pass, patch: Patch): Graph {
  try {
    return applyPatch(graph, patch)
  } catch (thrown) {
    if (isAgentError(thrown, 'model.graph_invalid')) throw broken(pass, messageOf(thrown), thrown)
    throw thrown
  }
}

function broken(pass: Pass, problem: string, cause?: unknown): AgentError {
  return new AgentError('compress.pass_failed', `pass ${pass.name} broke the graph: ${problem}`, { cause })
}
