/** Reads a model file for the command line. Invariant: a missing file is one sentence that says where a model comes from. */

import { readFile, stat } from 'node:fs/promises'
import { AgentError, messageOf, systemCodeOf } from '../base/errors.js'
import { floatEnds } from '../compress/passes/float-ends.js'
import { requireFloat } from '../compress/quantization/quantize.js'
import { exportModel } from '../onnx/export-model.js'
import type { Graph } from '../onnx/graph.js'
import { importModel } from '../onnx/import-model.js'
import { applyPatch } from '../onnx/patch.js'
import { haveSameClasses } from '../yolo/class-names.js'
import { findHead } from '../yolo/find-head.js'
import { describeModel, type ModelDescription, requireRawHeads } from '../yolo/model-description.js'
import { readVariantFile } from './bundle/variant-file.js'
import type { InputSize } from './options.js'

/** How a user gets a model, where one is missing. */
export const exportHint =
  'export one with Ultralytics: pip install ultralytics && yolo export model=yolov8n.pt format=onnx'

/** Far above every YOLOv8 (x: 273 MB); ONNX itself ends at 2 GB. */
const modelBytesMax = 2 ** 31 - 1

/** The bytes of an .onnx file, or of `BUNDLE/VARIANT`. Throws `model.file_unreadable`, `bundle.*`, `integrity.*`. */
export async function readModelFile(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) {
      throw new AgentError(
        'model.file_unreadable',
        `cannot read the model ${path}: it is a folder, expected an .onnx file or a variant of a bundle, BUNDLE/VARIANT`,
      )
    }
    if (found.size > modelBytesMax) {
      throw new AgentError(
        'model.file_unreadable',
        `cannot read the model ${path}: it has ${found.size} bytes, expected at most ${modelBytesMax}`,
      )
    }
    return await readFile(path)
  } catch (thrown) {
    if (thrown instanceof AgentError) throw thrown
    const isMissing = systemCodeOf(thrown) === 'ENOENT'
    const variant = isMissing ? await readVariantFile(path) : undefined
    if (variant !== undefined) return variant
    throw new AgentError(
      'model.file_unreadable',
      `cannot read the model ${path}: ${isMissing ? 'there is no such file' : messageOf(thrown)}`,
      {
        cause: thrown,
        ...(isMissing ? { hint: exportHint } : {}),
      },
    )
  }
}

/** A detector as it was read from a file. */
export interface DetectorFile {
  /** To run: those of the file, or with casts at the ends of a model that takes or gives half floats. */
  readonly bytes: Uint8Array
  /** The file as it is. */
  readonly fileBytes: Uint8Array
  readonly graph: Graph
  readonly description: ModelDescription
}

/**
 * Reads a file that must be a detector. Every refusal names the file.
 * A dynamic input takes `size`, and has it from then on; one of another fixed size is refused.
 */
export async function readDetectorFile(path: string, size?: InputSize): Promise<DetectorFile> {
  const fileBytes = await readModelFile(path)
  return naming(path, () => {
    const read = importModel(fileBytes)
    const graph = atSize(withFloatEnds(read), size)
    return {
      bytes: graph === read ? fileBytes : exportModel(graph),
      fileBytes,
      graph,
      description: describeModel(graph),
    }
  })
}

/**
 * Reads a detector that can be compressed and trained: in float, with the raw heads of YOLOv8 in it.
 * Throws at once `model.quantized_already`, `model.op_unsupported` or `model.not_yolov8`.
 */
export async function readFloatDetector(path: string, size?: InputSize): Promise<DetectorFile> {
  const file = await readDetectorFile(path, size)
  naming(path, () => {
    requireFloat(file.graph)
    requireRawHeads(file.description)
    findHead(file.graph)
  })
  return file
}

/** `graph` with `size` where the input of a detector leaves it open. Throws `model.not_yolov8` where it has another. */
export function atSize(graph: Graph, size: InputSize | undefined): Graph {
  if (size === undefined) return graph
  const { inputName, inputLayout, inputWidth, inputHeight } = describeModel(graph, size)
  const fixed = inputLayout.startsWith('nchw')
    ? [1, 3, inputHeight, inputWidth]
    : [1, inputHeight, inputWidth, 3]
  const inputs = graph.inputs.map((input) => (input.name === inputName ? { ...input, shape: fixed } : input))
  const metadata = new Map([...graph.metadata, ['imgsz', `[${inputHeight}, ${inputWidth}]`]])
  return applyPatch(graph, { inputs, metadata })
}

/** `graph`, taking and giving single floats: a model exported with half floats at its ends is served as any other. */
export function withFloatEnds(graph: Graph): Graph {
  const patch = floatEnds.patch(graph)
  return patch === undefined ? graph : applyPatch(graph, patch)
}

/** Throws `model.labels_invalid` where a model means other things by its class indices than the first of `files` does. */
export function requireSameClasses(
  files: readonly { readonly path: string; readonly description: ModelDescription }[],
): void {
  const [first, ...others] = files
  const other = others.find(
    ({ description }) => !haveSameClasses(description.classNames, first!.description.classNames),
  )
  if (first === undefined || other === undefined) return
  const { classNames } = first.description
  const problem = `${other.path} has other classes than ${first.path}: expected the ${classNames.length} classes ${classNames.slice(0, 3).join(', ')}, ...`
  throw new AgentError('model.labels_invalid', problem)
}

/** Runs `action`; its AgentError gets the path in front. */
export function naming<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown
    const { code, message, hint, cause } = thrown
    throw new AgentError(code, `${path}: ${message}`, { cause, ...(hint === undefined ? {} : { hint }) })
  }
}
