/**
 * Files that a vendor's compiler has made of the same model: `hef`, `rknn`, `engine`.
 * Invariant: nothing is read from them; what they are for is said by who publishes them.
 */

import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { AgentError, messageOf } from '../../base/errors.js'
import type { Platform } from '../../protocol/manifest.js'

export interface ForeignFile {
  readonly path: string
  /** The extension of its name. */
  readonly kind: string
  readonly bytes: Uint8Array
  readonly platform: Platform
}

/** Platforms by kind of file. */
export type Platforms = ReadonlyMap<string, Platform>

/** Collects `--artefact hef=hailo8,hailort,4.20.0`: kind, chip, runtime, and its version. */
export function platformOption(text: string, earlier: Platforms): Platforms {
  const [, kind, chip, runtime, version] =
    /^([a-z][a-z0-9_]*)=([\w.-]+),([\w.-]+)(?:,([\w.-]+))?$/.exec(text) ?? []
  if (kind === undefined || chip === undefined || runtime === undefined || kind === 'onnx') {
    const problem = `--artefact ${text}: expected KIND=CHIP,RUNTIME[,VERSION] such as hef=hailo8,hailort,4.20.0`
    throw new AgentError('cli.argument_invalid', problem)
  }
  const platform = { chip, runtime, ...(version !== undefined && { runtimeVersion: version }) }
  return new Map([...earlier, [kind, platform]])
}

/** Whether `path` is an ONNX file by its name; a name without an extension is taken for one. */
export function isOnnxPath(path: string): boolean {
  return ['', '.onnx'].includes(extname(path).toLowerCase())
}

/** Reads such a file. Throws `cli.argument_invalid` when nobody said what it is for, or `model.file_unreadable`. */
export async function readForeignFile(path: string, platforms: Platforms): Promise<ForeignFile> {
  const kind = extname(path).slice(1).toLowerCase()
  const platform = platforms.get(kind)
  if (platform === undefined) {
    throw new AgentError(
      'cli.argument_invalid',
      `${path}: expected --artefact ${kind}=CHIP,RUNTIME[,VERSION]`,
      {
        hint: 'files that are not ONNX run on one platform only; deploy/RUNNERS.md tells how',
      },
    )
  }
  try {
    return { path, kind, bytes: await readFile(path), platform }
  } catch (thrown) {
    throw new AgentError('model.file_unreadable', `cannot read ${path}: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}
