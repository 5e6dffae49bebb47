/** The step `--prune`. Invariant: the plan was checked before any picture is looked at. */

import { prune, type PruneReport } from '../../compress/pruning/prune.js'
import type { PrunePlan } from '../../compress/pruning/prune-plan.js'
import type { Graph } from '../../onnx/graph.js'
import { gradientSource } from './gradient-source.js'
import type { CompressStep, StepContext, StepResult } from './step.js'

export function pruneStep(plan: PrunePlan): CompressStep {
  return { name: 'prune', run: (graph, context) => run(graph, context, plan) }
}

async function run(graph: Graph, context: StepContext, plan: PrunePlan): Promise<StepResult> {
  const { runner, images, onProgress } = context
  const { graph: pruned, report } = await prune(graph, plan, {
    runner,
    ...(images.count > 0 && {
      images,
      gradients: gradientSource(runner, images, (done, total) => {
        onProgress(done / total, 'gradients')
      }),
    }),
    onProgress: (stage, done, total) => {
      onProgress(done / total, stage)
    },
  })
  return { graph: pruned, report: reportOf(report), summary: summaryOf(report) }
}

function summaryOf({ before, after, layers, removedBlocks }: PruneReport): string {
  const percent = (kept: number, whole: number): string => `${((100 * kept) / whole).toFixed(1)} %`
  const blocks = removedBlocks.length === 0 ? '' : `, ${removedBlocks.length} blocks removed`
  return (
    `${percent(after.macs, before.macs)} of the MACs and ${percent(after.parameters, before.parameters)} ` +
    `of the parameters stay; ${layers.length} layers are narrower${blocks}`
  )
}

function reportOf(report: PruneReport): object {
  const { plan, before, after } = report
  return {
    plan,
    macs_kept: after.macs / before.macs,
    parameters_kept: after.parameters / before.parameters,
    layers: report.layers,
    removed_blocks: report.removedBlocks,
    barriers: report.barriers.map(({ node, opType }) => ({ node, operator: opType })),
    restored: report.restored.map(({ name, errorBefore, errorAfter }) => ({
      layer: name,
      error_before: errorBefore,
      error_after: errorAfter,
    })),
  }
}
