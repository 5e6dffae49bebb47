/**
 * Runs the steps of a compression on a model file and writes the result: a float model, or an int8 model for each kind of hardware.
 * Invariant: the output folder is complete or absent; no model in it depends on the time, the place or the machine's load.
 */

import { readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { createFolderAtomic, writeFileAtomic } from '../../base/atomic-file.js'
import type { Clock } from '../../base/clock.js'
import { sha256Of } from '../../base/digest.js'
import { AgentError, systemCodeOf } from '../../base/errors.js'
import { toEdgeForm } from '../../compress/edge-form.js'
import type { CalibrationImages } from '../../compress/ports.js'
import type { PassListener } from '../../compress/run-passes.js'
import type { LayerSensitivity } from '../../compress/quantization/sensitivity.js'
import { requireValidGraph } from '../../onnx/check-graph.js'
import { type GraphCost, costOf } from '../../onnx/cost.js'
import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'
import { variantName } from '../../yolo/variant-name.js'
import { describeModel } from '../../yolo/model-description.js'
import type { Dataset } from '../dataset/dataset.js'
import { measureAccuracy } from '../measure/measure-accuracy.js'
import type { Output } from '../output.js'
import { type CompressionContent, compressionHtml } from '../report/compression-html.js'
import { type CheckVerdict, checkReport, requireAgreement, verdictOf } from './check-verdict.js'
import type { CompressReport, FileReport } from './compress-report.js'
import { computationDigest } from './computation-digest.js'
import { type Int8Options, quantizeForTargets } from './int8-step.js'
import type { CompressStep, MeasuredAccuracy, StepContext } from './step.js'

export interface CompressRequest {
  readonly modelPath: string
  readonly bytes: Uint8Array
  readonly graph: Graph
  /** In float, one after the other. */
  readonly steps: readonly CompressStep[]
  /** The last step, where the result is to compute on integers. */
  readonly int8: Int8Options | undefined
  /** What the self-check of int8 models asks for. */
  readonly check: { readonly minAgreement: number; readonly strict: boolean }
  /** The int8 layouts that this machine computes well. */
  readonly machineTargets: readonly string[]
  readonly context: Omit<StepContext, 'onProgress' | 'measure'>
  /** Pictures like those of the context that no step looks at, for the self-check; may be none. */
  readonly heldOut: CalibrationImages
  /** Labelled pictures to measure on, where the user gave some. */
  readonly dataset: Dataset | undefined
  readonly outFolder: string
  /** For people who repeat it. */
  readonly command: string
  readonly clock: Clock
  /** Hears the graph after each pass and step. */
  readonly onPass?: PassListener
}

export interface CompressResult {
  readonly paths: readonly string[]
  readonly report: CompressReport
  /** Of int8 models. */
  readonly verdict: CheckVerdict | undefined
}

/** Throws `cli.argument_invalid` where `folder` exists and is not empty. */
export async function requireFreeFolder(folder: string): Promise<void> {
  try {
    const names = await readdir(folder)
    if (names.length === 0) return
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return
    throw new AgentError('cli.argument_invalid', `--out ${folder}: it is no folder that can be written`, {
      cause: thrown,
    })
  }
  throw new AgentError('cli.argument_invalid', `--out ${folder}: it is not empty, expected a new folder`)
}

/** A model that came out. */
interface MadeModel {
  readonly file: string
  readonly graph: Graph
  readonly traits?: { readonly int8_target: string; readonly machines: string }
}

interface MadeModels {
  readonly models: readonly MadeModel[]
  readonly reports: Readonly<Record<string, object>>
  readonly verdict?: CheckVerdict
  readonly ranges?: CompressionContent['ranges']
  readonly layers?: readonly LayerSensitivity[]
}

/**
 * Compresses and writes `<model>-<step>-....onnx`, or for int8 `<model>-<step>-int8-<target>-<size>.onnx` for each target, with
 * `report.json` and `report.html`. Throws what a step throws, and under `check.strict` `compress.agreement_low`.
 */
export async function compressModel(request: CompressRequest, output: Output): Promise<CompressResult> {
  const { outFolder, clock, check } = request
  const startMs = clock.monotonicMs()
  const { models, reports, verdict, layers = [], ranges = [] } = await made(request, output)
  if (check.strict && verdict !== undefined) requireAgreement(verdict)
  const written = models.map(({ file, graph, traits }) => {
    const bytes = exportModel(graph)
    return { file, bytes, report: { ...fileReport(file, bytes, graph), ...traits } }
  })
  const report: CompressReport = {
    source: fileReport(basename(request.modelPath), request.bytes, request.graph),
    models: written.map((each) => each.report),
    seconds: (clock.monotonicMs() - startMs) / 1000,
    steps: reports,
    ...(verdict !== undefined && { self_check: checkReport(verdict) }),
  }
  await createFolderAtomic(outFolder, async (folder) => {
    for (const { file, bytes } of written) await writeFileAtomic(join(folder, file), bytes)
    await writeFileAtomic(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
    const html = compressionHtml({ report, verdict, layers, ranges, command: request.command })
    await writeFileAtomic(join(folder, 'report.html'), html)
  })
  return { paths: written.map(({ file }) => join(outFolder, file)), report, verdict }
}

async function made(request: CompressRequest, output: Output): Promise<MadeModels> {
  const { steps, int8, modelPath, heldOut, machineTargets, clock, onPass } = request
  const reports: Record<string, object> = {}
  const measure = measureOn(request.dataset)
  onPass?.('source', request.graph)
  let graph = toEdgeForm(request.graph, onPass)
  for (const step of steps) {
    const result = await shown(step.name, request, output, measure, (context) => step.run(graph, context))
    if (result.summary !== undefined) output.note(`${step.name}: ${result.summary}`)
    graph = result.graph
    requireValidGraph(graph)
    onPass?.(step.name, graph)
    reports[step.name] = result.report
  }
  const stem = [basename(modelPath, extname(modelPath)), ...steps.map(({ name }) => name)].join('-')
  if (int8 === undefined) return { models: [{ file: `${stem}.onnx`, graph }], reports }
  const float = graph
  const { variants, check, layers, report } = await shown('int8', request, output, measure, (context) =>
    quantizeForTargets(float, { ...context, heldOut, machineTargets, clock }, int8),
  )
  reports['int8'] = { ...report, targets: variants.map((variant) => variant.report) }
  const { inputWidth: width, inputHeight: height } = describeModel(float)
  const models = variants.map(({ target, graph: quantized }): MadeModel => {
    requireValidGraph(quantized)
    onPass?.(`int8-${target.name}`, quantized)
    const name = variantName({ precision: 'int8', target: target.name, width, height })
    const traits = { int8_target: target.name, machines: target.machines }
    return { file: `${stem}-${name}.onnx`, graph: quantized, traits }
  })
  const ranges = variants.map(({ target, ranges }) => ({ target: target.name, ranges }))
  return { models, reports, layers, ranges, verdict: verdictOf(check, request.check.minAgreement) }
}

/** Runs `work` behind a progress bar. */
async function shown<T>(
  name: string,
  request: CompressRequest,
  output: Output,
  measure: Measure | undefined,
  work: (context: StepContext) => Promise<T>,
): Promise<T> {
  const progress = output.progress(name)
  const onProgress = (fraction: number, detail?: string): void => {
    progress.update(fraction, detail)
  }
  const result = await work({
    ...request.context,
    onProgress,
    ...(measure !== undefined && { measure: (graph, label) => measure(graph, label, onProgress) }),
  })
  progress.done()
  return result
}

type Measure = (
  graph: Graph,
  label: string,
  onProgress: StepContext['onProgress'],
) => Promise<MeasuredAccuracy>

/** Measures on `dataset`; models that compute the same are measured once. */
function measureOn(dataset: Dataset | undefined): Measure | undefined {
  if (dataset === undefined) return undefined
  const known = new Map<string, MeasuredAccuracy>()
  return async (graph, label, onProgress) => {
    const digest = computationDigest(graph)
    const model = { bytes: exportModel(graph), description: describeModel(graph) }
    const accuracy = known.get(digest) ?? (await measured(model, dataset, label, onProgress))
    known.set(digest, accuracy)
    return accuracy
  }
}

async function measured(
  model: Parameters<typeof measureAccuracy>[0],
  dataset: Dataset,
  label: string,
  onProgress: StepContext['onProgress'],
): Promise<MeasuredAccuracy> {
  const { metrics } = await measureAccuracy(model, dataset, {}, (done, total) => {
    onProgress(done / total, `accuracy of ${label}`)
  })
  return { map: metrics.map, map50: metrics.map50 }
}

function fileReport(file: string, bytes: Uint8Array, graph: Graph): FileReport {
  const cost: GraphCost = costOf(graph)
  return {
    file,
    sha256: sha256Of(bytes),
    size_bytes: bytes.byteLength,
    macs: cost.macs ?? null,
    parameters: cost.parameters,
    operators: Object.fromEntries([...cost.census].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
