/**
 * The library of the operators of the domain `yolo-edge`: where it lies, and what it can on this processor.
 * Invariant: a library that is not of this build is never handed to ONNX Runtime; why not is one sentence.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import koffi from 'koffi'
import { messageOf } from '../../../base/errors.js'
import { operatorDigests } from './operator-digests.js'

export interface OperatorLibrary {
  readonly path: string
  /** Whether the processor has a kernel for the operator `Convolution`. */
  readonly hasConvolution: boolean
  /** Of the kernels in use: `avx512-vbmi`, `avx2`, ... */
  readonly kernels: readonly string[]
}

/** Bits of what yolo_edge_features answers; kernels.h has them. */
const kernels = [
  [1, 'avx2'],
  [2, 'avx512-vbmi'],
  [4, 'avx512-vnni'],
  [8, 'neon'],
] as const
const convolutionBit = 1 << 16

/** The file for this platform. */
export function operatorLibraryPath(platform = process.platform, arch = process.arch): string {
  return fileURLToPath(
    new URL(`../../../../../lib/${platform}-${arch}/libyolo-edge-operators.so`, import.meta.url),
  )
}

/**
 * Loads the library at `path`; it stays loaded. `allowed` masks features of the processor, as a processor without them would.
 * Gives a sentence where it cannot be used.
 */
export async function loadOperatorLibrary(path: string, allowed = -1): Promise<OperatorLibrary | string> {
  const platform = `${process.platform}-${process.arch}`
  const digest = operatorDigests.get(platform)
  if (digest === undefined) return `there is no library of fused operators for ${platform}`
  try {
    // A file that was cut off can end the process when it is loaded.
    const found = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    if (found !== digest)
      return `${path} is not the library of this build: its digest is ${found}, expected ${digest}`
    const library = koffi.load(path)
    const bits = (library.func('yolo_edge_features', 'int', ['int']) as (allowed: number) => number)(allowed)
    return {
      path,
      hasConvolution: (bits & convolutionBit) !== 0,
      kernels: kernels.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name),
    }
  } catch (thrown) {
    return `cannot load ${path}: ${messageOf(thrown)}`
  }
}
