/**
 * How long a detector takes on one execution provider: YOLOv8n with random weights at 640, which takes as long as a trained one.
 * Invariant: opening and warming up are not counted.
 */

import { messageOf } from '../../base/errors.js'
import { exportModel } from '../../onnx/export-model.js'
import { floatTensor } from '../../onnx/tensor.js'
import { openTensorSession } from '../../runtime/tensor-session.js'
import { buildNetwork } from '../../yolo/build-network.js'
import { networkScales } from '../../yolo/network-scale.js'
import type { ProbeOrder } from './probe-provider.js'

const side = 640
const runs = 5

/** The median of a few runs, milliseconds; or why there is none. */
export type ProviderTime = { readonly ms: number } | { readonly reason: string }

/** Runs on the provider, in this process. */
export async function timeProvider({ name, options }: ProbeOrder): Promise<ProviderTime> {
  const graph = buildNetwork({
    scale: networkScales.n,
    classNames: ['object'],
    inputWidth: side,
    inputHeight: side,
  })
  try {
    const session = await openTensorSession(exportModel(graph), { ...options, providers: [name] })
    try {
      const [input] = session.info.inputs
      const frame = floatTensor([1, 3, side, side], new Float32Array(3 * side * side).fill(0.5))
      const feeds = new Map([[input!.name, frame]])
      await session.run(feeds)
      const times: number[] = []
      for (let run = 0; run < runs; run++) {
        const before = session.computeMs
        await session.run(feeds)
        times.push(session.computeMs - before)
      }
      return { ms: times.sort((a, b) => a - b)[Math.floor(runs / 2)]! }
    } finally {
      await session.close()
    }
  } catch (thrown) {
    return { reason: messageOf(thrown).slice(0, 500) }
  }
}
