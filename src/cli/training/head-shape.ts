/** Where the raw heads of a detector are. Invariant: names are those of the graph's own outputs, where it ends at its heads. */

import type { Graph } from '../../onnx/graph.js'
import type { HeadShape } from '../../training/loss/head-batch.js'
import { describeModel } from '../../yolo/model-description.js'

/** The heads of `graph` for batches of `batch` pictures; a decoded output stands for heads of the usual names. */
export function headShape(graph: Graph, batch: number): HeadShape {
  const { classNames, inputWidth, inputHeight, output } = describeModel(graph)
  const usual = [8, 16, 32].map((stride, index) => ({
    stride,
    box: `p${index + 3}_box`,
    cls: `p${index + 3}_cls`,
  }))
  const levels = output.kind === 'heads' ? output.levels : usual
  return { batch, classCount: classNames.length, inputWidth, inputHeight, levels }
}
