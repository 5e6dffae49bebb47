/**
 * The operators that ONNX Runtime really runs for a model on this machine, after its own rewriting.
 * Invariant: the rewritten graph is written into a folder of its own that is gone afterwards.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importModel } from '../../onnx/import-model.js'
import { openTensorSession } from '../../runtime/tensor-session.js'

/** Nodes by operator, most frequent first. Throws `inference.load_failed`, and `model.*` where the rewritten graph cannot be read. */
export async function optimizedOperators(bytes: Uint8Array): Promise<ReadonlyMap<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'yolo-edge-inspect-'))
  try {
    const optimizedModelPath = join(folder, 'optimized.onnx')
    const session = await openTensorSession(bytes, { optimizedModelPath, warmUpRuns: 0, niceness: 0 })
    await session.close()
    const counts = new Map<string, number>()
    for (const { opType } of importModel(await readFile(optimizedModelPath)).nodes)
      counts.set(opType, (counts.get(opType) ?? 0) + 1)
    return new Map([...counts].sort((a, b) => b[1] - a[1]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
