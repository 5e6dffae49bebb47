/** Reads a model file for the command line. Invariant: a missing file is one sentence that says where a model comes from. */

import { readFile, stat } from 'node:fs/promises'
import { AgentError, messageOf, systemCodeOf } from '../base/errors.js'
import { floatEnds } from '../compress/passes/float-ends.js'
import { exportModel } from '../onnx/export-model.js'
import type { Graph } from '../onnx/graph.js'
import { importModel } from '../onnx/import-model.js'
import { applyPatch } from '../onnx/patch.js'
import { describeModel, type ModelDescription } from '../yolo/model-description.js'
import { readVariantFile } from './bundle/variant-file.js'

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

/** Reads a file that must be a YOLOv8 detector. Every refusal names the file. */
export async function readDetectorFile(path: string): Promise<DetectorFile> {
  const fileBytes = await readModelFile(path)
  return naming(path, () => {
    const read = importModel(fileBytes)
    const graph = withFloatEnds(read)
    return {
      bytes: graph === read ? fileBytes : exportModel(graph),
      fileBytes,
      graph,
      description: describeModel(graph),
    }
  })
}

/** `graph`, taking and giving single floats: a model exported with half floats at its ends is served as any other. */
export function withFloatEnds(graph: Graph): Graph {
  const patch = floatEnds.patch(graph)
  return patch === undefined ? graph : applyPatch(graph, patch)
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
