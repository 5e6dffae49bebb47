/**
 * Gives a detector in edge form another input size: its weights do not depend on it.
 * Before:  images uint8 [1,H,W,3] -> ... -> outputs [1,C,H/s,W/s]
 * After:   the same nodes, with the new height and width in inputs, outputs and `imgsz`.
 * Conditions: edge form; no node holds a size of its own (a Resize by scales is fine, one to sizes is not).
 */

import { AgentError } from '../../base/errors.js'
import { applyPatch } from '../../onnx/patch.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { describeModel } from '../../yolo/model-description.js'
import type { Pass } from '../run-passes.js'

/** A multiple of the coarsest stride. */
const granule = 32

/** The pass for `width` x `height` pixels. Its patch throws `compress.plan_invalid` or `model.op_unsupported`. */
export function inputSize(width: number, height: number): Pass {
  return {
    name: 'input-size',
    patch: (graph) => {
      for (const [what, side] of [
        ['width', width],
        ['height', height],
      ] as const) {
        if (Number.isInteger(side) && side >= granule && side % granule === 0) continue
        throw new AgentError(
          'compress.plan_invalid',
          `an input ${what} of ${side} pixels is not possible, expected a multiple of ${granule}`,
        )
      }
      const { inputName, inputLayout, output, ...old } = describeModel(graph)
      if (old.inputWidth === width && old.inputHeight === height) return undefined
      if (inputLayout !== 'nhwc-uint8' || output.kind !== 'heads') {
        throw new AgentError(
          'model.op_unsupported',
          'cannot change the input size: the model is not in edge form',
        )
      }
      const inputs = [{ name: inputName, type: 'uint8' as const, shape: [1, height, width, 3] }]
      const strides = new Map(
        output.levels.flatMap(({ stride, box, cls }) => [[box, stride] as const, [cls, stride] as const]),
      )
      const outputs = graph.outputs.map((info) => {
        const stride = strides.get(info.name)!
        return { ...info, shape: [1, info.shape[1], height / stride, width / stride] }
      })
      const shapes = shapesOf(applyPatch(graph, { inputs, outputs }))
      for (const { name, shape } of outputs) {
        const found = shapes.staticShapeOf(name)
        if (found?.join() === shape.join()) continue
        throw new AgentError(
          'model.op_unsupported',
          `cannot change the input size to ${width}x${height}: ${name} would be ${found?.join('x') ?? 'of unknown size'}, expected ${shape.join('x')}`,
          { hint: 'the file holds sizes of its own; export it at the wanted size instead' },
        )
      }
      const metadata = new Map(graph.metadata)
      if (metadata.has('imgsz')) metadata.set('imgsz', `[${height}, ${width}]`)
      return { inputs, outputs, metadata }
    },
  }
}
