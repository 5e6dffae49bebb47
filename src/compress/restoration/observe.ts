/** Running a graph over calibration samples and looking at values inside it. Invariant: one sample is held at a time. */

import { AgentError } from '../../base/errors.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import type { FeatureMap } from './convolution-geometry.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { Feeds, GraphRunner } from '../ports.js'
import { subgraph } from './subgraph.js'

/**
 * Runs `graph` up to `values` on each sample and calls `visit` with them, in order. Graph inputs may be among them.
 * Throws `dataset.folder_unusable` when there are no samples.
 */
export async function observe(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  values: readonly ValueName[],
  visit: (sample: number, values: Feeds) => void | Promise<void>,
): Promise<void> {
  if (run.samples.count === 0) {
    throw new AgentError(
      'dataset.folder_unusable',
      'observing the model needs at least 1 calibration sample, got 0',
    )
  }
  const fed = new Set(run.graph.inputs.map((input) => input.name))
  const computed = [...new Set(values)].filter((value) => !fed.has(value))
  const open = await run.runner.open(subgraph(run.graph, fed, computed, new Map()))
  try {
    for (let sample = 0; sample < run.samples.count; sample++) {
      const feeds = await run.samples.read(sample)
      const made = await open.run(feeds)
      await visit(sample, new Map([...feeds, ...made]))
    }
  } finally {
    await open.close()
  }
}

/** A float tensor [1, channels, height, width] as a feature map. */
export function featureMap(tensor: Tensor | undefined, value: ValueName): FeatureMap {
  const [batch, channels, height, width] = tensor?.dims ?? []
  if (
    tensor?.type !== 'float32' ||
    batch !== 1 ||
    channels === undefined ||
    height === undefined ||
    width === undefined
  ) {
    throw new AgentError(
      'inference.output_invalid',
      `${value} is ${tensor?.type ?? 'absent'} [${tensor?.dims.join(',') ?? ''}], expected float32 of one image [1,C,H,W]`,
    )
  }
  return { data: tensor.data, channels, height, width }
}
