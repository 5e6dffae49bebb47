/** The step `--sparsity`. Invariant: the plan was checked before any picture is looked at. */

import { sparsify } from '../../compress/sparsity/sparsify.js'
import type { SparsityPlan } from '../../compress/sparsity/sparsity-plan.js'
import type { Graph } from '../../onnx/graph.js'
import { gradientSource } from './gradient-source.js'
import type { CompressStep, StepContext, StepResult } from './step.js'

export function sparsityStep(plan: SparsityPlan): CompressStep {
  return { name: 'sparse', run: (graph, context) => run(graph, context, plan) }
}

async function run(graph: Graph, context: StepContext, plan: SparsityPlan): Promise<StepResult> {
  const { runner, images, onProgress } = context
  onProgress(0, `${plan.criterion}, ${plan.pattern}`)
  const result = await sparsify(graph, plan, {
    runner,
    ...(images.count > 0 && {
      images,
      gradients: gradientSource(runner, images, (done, total) => {
        onProgress(done / total, 'gradients')
      }),
    }),
  })
  const { weights, zeros, layers } = result.report
  onProgress(1)
  const summary = `${((100 * zeros) / weights).toFixed(1)} % of the weights are zero`
  return {
    graph: result.graph,
    report: { plan, weights, zeros, sparsity: zeros / weights, layers },
    summary,
  }
}
