/**
 * Runs the steps of a compression on a model file and writes the result.
 * Invariant: the output folder is complete or absent; nothing in it depends on the time, the place or the machine's load.
 */

import { readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { createFolderAtomic, writeFileAtomic } from '../../base/atomic-file.js'
import { sha256Of } from '../../base/digest.js'
import { AgentError, systemCodeOf } from '../../base/errors.js'
import { toEdgeForm } from '../../compress/edge-form.js'
import { requireValidGraph } from '../../onnx/check-graph.js'
import { type GraphCost, costOf } from '../../onnx/cost.js'
import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'
import { describeModel } from '../../yolo/model-description.js'
import type { Dataset } from '../dataset/dataset.js'
import { measureAccuracy } from '../measure/measure-accuracy.js'
import type { Output } from '../output.js'
import type { CompressStep, MeasuredAccuracy, StepContext } from './step.js'

export interface CompressRequest {
  readonly modelPath: string
  readonly bytes: Uint8Array
  readonly graph: Graph
  readonly steps: readonly CompressStep[]
  readonly context: Omit<StepContext, 'onProgress' | 'measure'>
  /** Labelled pictures to measure on, where the user gave some. */
  readonly dataset: Dataset | undefined
  readonly outFolder: string
}

export interface CompressResult {
  readonly path: string
  readonly reportPath: string
  readonly report: CompressReport
}

interface FileReport {
  readonly file: string
  readonly sha256: string
  readonly size_bytes: number
  readonly macs: number | null
  readonly parameters: number
  readonly operators: Readonly<Record<string, number>>
}

interface CompressReport {
  readonly source: FileReport
  readonly model: FileReport
  readonly seed: number
  readonly steps: Readonly<Record<string, object>>
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

/** Compresses and writes `<model>-<step>-....onnx` and `report.json`. Throws what a step throws. */
export async function compressModel(request: CompressRequest, output: Output): Promise<CompressResult> {
  const { steps, context, modelPath, outFolder } = request
  const reports: Record<string, object> = {}
  let graph = toEdgeForm(request.graph)
  for (const step of steps) {
    const progress = output.progress(step.name)
    const onProgress = (fraction: number, detail?: string): void => {
      progress.update(fraction, detail)
    }
    const { dataset } = request
    const result = await step.run(graph, {
      ...context,
      onProgress,
      ...(dataset !== undefined && {
        measure: (model, label) => measured(model, dataset, label, onProgress),
      }),
    })
    progress.done()
    if (result.summary !== undefined) output.note(`${step.name}: ${result.summary}`)
    graph = result.graph
    requireValidGraph(graph)
    reports[step.name] = result.report
  }
  const bytes = exportModel(graph)
  const stem = basename(modelPath, extname(modelPath))
  const file = `${[stem, ...steps.map((step) => step.name)].join('-')}.onnx`
  const report: CompressReport = {
    source: fileReport(basename(modelPath), request.bytes, request.graph),
    model: fileReport(file, bytes, graph),
    seed: context.seed,
    steps: reports,
  }
  await createFolderAtomic(outFolder, async (folder) => {
    await writeFileAtomic(join(folder, file), bytes)
    await writeFileAtomic(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
  })
  return { path: join(outFolder, file), reportPath: join(outFolder, 'report.json'), report }
}

async function measured(
  graph: Graph,
  dataset: Dataset,
  label: string,
  onProgress: StepContext['onProgress'],
): Promise<MeasuredAccuracy> {
  const model = { bytes: exportModel(graph), description: describeModel(graph) }
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
