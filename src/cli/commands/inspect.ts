/** `yolo-edge inspect`: what a model file is, what it costs, what it is made of. */

import { Command } from 'commander'
import { type GraphCost, type NodeCost, costOf } from '../../onnx/cost.js'
import type { Graph } from '../../onnx/graph.js'
import { importModel } from '../../onnx/import-model.js'
import { type Outline, outlineOf } from '../../onnx/outline.js'
import { printGraph } from '../../onnx/print-graph.js'
import { describeModel, type ModelDescription } from '../../yolo/model-description.js'
import { type AgentError, isAgentError } from '../../base/errors.js'
import { findChannelGroups } from '../../compress/pruning/channel-groups.js'
import { optimizedOperators } from '../measure/optimized-operators.js'
import { groupsSummary, groupsText } from '../compress/groups-text.js'
import { atSize, naming, readModelFile, withFloatEnds } from '../model-file.js'
import { withRules } from '../option-rules.js'
import { type InputSize, sizeHelp, sizeOption } from '../options.js'
import { type Output, processOutput, table } from '../output.js'

interface Options {
  readonly nodes?: boolean
  readonly groups?: boolean
  readonly text?: boolean
  readonly optimized?: boolean
  readonly json?: boolean
  readonly size?: InputSize
}

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description(
      'Show what a model is: its form, classes, operators, multiply-accumulates, parameters and bytes.',
    )
    .argument('<model>', 'an .onnx file')
    .option('--nodes', 'the cost of every node')
    .option('--groups', 'which channels can be pruned, and which have to stay and why')
    .option('--optimized', 'the operators that ONNX Runtime really runs here; QLinear* are those on integers')
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option('--text', 'the graph as text, one line a node')
    .option('--json', 'print JSON')
  return withRules(command, { '--text': { excludes: ['--json'] } }).action(inspect)
}

async function inspect(path: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const bytes = await readModelFile(path)
  const read = graphOrOutline(path, bytes)
  if ('reason' in read) {
    const { nodes, groups, text, optimized, size } = options
    // What is asked of a graph cannot be told of a file that has none.
    if ([nodes, groups, text, optimized, size].some((asked) => asked !== undefined)) throw read.reason
    printOutline(output, path, bytes, read)
    return
  }
  const graph = naming(path, () => atSize(read.graph, options.size))
  const cost = costOf(graph)
  const detector = detectorOf(graph)
  const model = { bytes, graph, cost, detector }
  const groups = options.groups === true ? findChannelGroups(graph) : undefined
  const optimized = options.optimized === true ? await optimizedOperators(bytes) : undefined
  output.result({
    ...summaryOf(model),
    ...(options.nodes === true && { nodes: cost.nodes.map(wireNode) }),
    ...(groups !== undefined && { groups: groupsSummary(groups) }),
    ...(optimized !== undefined && { optimized_operators: Object.fromEntries(optimized) }),
  })
  if (options.text === true) output.line(printGraph(graph))
  else printSummary(output, path, model)
  if (optimized !== undefined) {
    const counts = [...optimized].map(([name, count]) => [name, String(count)])
    output.line(`\n${table([['runs here as', 'nodes'], ...counts])}`)
  }
  if (options.nodes === true) output.line(nodeTable(cost))
  if (groups !== undefined) output.line(groupsText(groups))
}

/** A file that is ONNX, but no graph that this tool computes with. */
interface OutlinedModel {
  readonly outline: Outline
  /** Why it is none. */
  readonly reason: AgentError
}

/** Any ONNX file; where the graph cannot be read, what can be told without it. Throws `model.parse_failed`. */
function graphOrOutline(path: string, bytes: Uint8Array): { readonly graph: Graph } | OutlinedModel {
  try {
    return { graph: naming(path, () => importModel(bytes)) }
  } catch (thrown) {
    if (!isAgentError(thrown, 'model.op_unsupported', 'model.graph_invalid')) throw thrown
    return { outline: naming(path, () => outlineOf(bytes)), reason: thrown }
  }
}

function printOutline(
  output: Output,
  path: string,
  bytes: Uint8Array,
  { outline, reason }: OutlinedModel,
): void {
  const { opsets, inputs, outputs, operators, subgraphs, functions, initializers, initializerBytes } = outline
  output.result({
    size_bytes: bytes.byteLength,
    opsets: Object.fromEntries(opsets),
    input_names: inputs,
    output_names: outputs,
    operators: Object.fromEntries(operators),
    subgraphs,
    functions,
    initializers,
    initializer_bytes: initializerBytes,
    detector: { refused: reason.message },
    metadata: Object.fromEntries(outline.metadata),
  })
  output.line(`${path}: ${mega(bytes.byteLength)} MB, opset ${opsetText(opsets)}`)
  output.line(`no detector   ${reason.message}`)
  output.line(`inputs        ${inputs.join(', ')}`)
  output.line(`outputs       ${outputs.join(', ')}`)
  output.line(`constants     ${initializers} of ${mega(initializerBytes)} MB`)
  if (subgraphs > 0) output.line(`subgraphs     ${subgraphs}; their operators are counted below`)
  if (functions.length > 0) output.line(`functions     ${functions.join(', ')}`)
  output.line('')
  output.line(table([['operator', 'nodes'], ...[...operators].map(([name, count]) => [name, String(count)])]))
}

/** `17, com.microsoft 1`. */
function opsetText(opsets: ReadonlyMap<string, number>): string {
  return [...opsets].map(([domain, version]) => `${domain === '' ? '' : `${domain} `}${version}`).join(', ')
}

/** A model file and what was found out about it. */
interface InspectedModel {
  readonly bytes: Uint8Array
  readonly graph: Graph
  readonly cost: GraphCost
  readonly detector: ModelDescription | string
}

/** The description of a detector, or why it is none. */
function detectorOf(graph: Graph): ModelDescription | string {
  try {
    return describeModel(withFloatEnds(graph))
  } catch (thrown) {
    if (isAgentError(thrown, 'model.not_yolov8', 'model.labels_invalid')) return thrown.message
    throw thrown
  }
}

function summaryOf({ bytes, graph, cost, detector }: InspectedModel): object {
  return {
    size_bytes: bytes.byteLength,
    opsets: Object.fromEntries(graph.opsets),
    inputs: graph.inputs,
    outputs: graph.outputs,
    macs: cost.macs,
    parameters: cost.parameters,
    initializer_bytes: cost.initializerBytes,
    operators: Object.fromEntries(cost.census),
    detector: typeof detector === 'string' ? { refused: detector } : detector,
    metadata: Object.fromEntries(graph.metadata),
  }
}

function printSummary(output: Output, path: string, model: InspectedModel): void {
  const { bytes, graph, cost, detector } = model
  output.line(`${path}: ${mega(bytes.byteLength)} MB, opset ${opsetText(graph.opsets)}`)
  if (typeof detector === 'string') output.line(`no detector   ${detector}`)
  else {
    const range = detector.inputMax === undefined ? '' : ' of 0..255'
    output.line(
      `detector      ${detector.inputWidth}x${detector.inputHeight} ${detector.inputLayout}${range}, ${formText(detector.output)}`,
    )
    output.line(
      `classes       ${detector.classNames.length}: ${detector.classNames.slice(0, 8).join(', ')}${detector.classNames.length > 8 ? ', ...' : ''}`,
    )
  }
  const macs = cost.macs === undefined ? 'unknown (dynamic size)' : `${(cost.macs / 1e9).toFixed(3)} G`
  const atMost = cost.isAtMost ? ' at most: some of the work depends on the picture' : ''
  output.line(`MACs          ${macs}${atMost}`)
  output.line(`parameters    ${cost.parameters.toLocaleString('en')}`)
  output.line(`constants     ${mega(cost.initializerBytes)} MB`)
  output.line('')
  const operators = [...cost.census].sort((a, b) => b[1] - a[1]).map(([name, count]) => [name, String(count)])
  output.line(table([['operator', 'nodes'], ...operators]))
}

function formText(output: ModelDescription['output']): string {
  switch (output.kind) {
    case 'heads':
      return 'raw heads'
    case 'boxes':
      return 'final boxes: it removes overlapping ones itself'
    case 'decoded': {
      const apart = output.scores === undefined ? '' : ', scores apart'
      return `decoded boxes${apart}${output.anchorsFirst === true ? ', transposed' : ''}`
    }
  }
}

function wireNode({ node, macs, parameters, parameterBytes, outputElements }: NodeCost): object {
  return {
    name: node.name,
    operator: node.opType,
    macs: macs ?? null,
    parameters,
    parameter_bytes: parameterBytes,
    output_elements: outputElements ?? null,
  }
}

function nodeTable(cost: GraphCost): string {
  const rows = cost.nodes.map(({ node, macs, parameters, parameterBytes, outputElements }) => [
    node.name,
    node.opType,
    macs === undefined ? '?' : String(macs),
    String(parameters),
    String(parameterBytes),
    outputElements === undefined ? '?' : String(outputElements),
  ])
  return table([['node', 'operator', 'MACs', 'parameters', 'bytes', 'outputs'], ...rows])
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
