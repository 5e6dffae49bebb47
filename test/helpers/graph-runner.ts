/** Ports of compression for tests and benchmarks: graphs run in ONNX Runtime, pictures read from a folder. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readLetterboxed } from '../../src/camera/read-image.js'
import type { CalibrationImages, GraphRunner } from '../../src/compress/ports.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { SessionOptions } from '../../src/runtime/session-options.js'
import { openTensorSession } from '../../src/runtime/tensor-session.js'

/** Runs graphs in worker threads of ONNX Runtime. */
export function graphRunner(options: SessionOptions = {}): GraphRunner {
  return {
    async open(graph) {
      const session = await openTensorSession(exportModel(graph), { warmUpRuns: 0, ...options })
      return { run: (feeds) => session.run(feeds), close: () => session.close() }
    },
  }
}

/** The first `limit` pictures of `folder`, in order of their names. */
export function imagesIn(
  folder: string,
  limit = Infinity,
): CalibrationImages & { readonly paths: readonly string[] } {
  const paths = readdirSync(folder)
    .sort()
    .slice(0, limit)
    .map((name) => join(folder, name))
  return {
    paths,
    count: paths.length,
    read: async (index, size) => (await readLetterboxed(paths[index]!, size)).pixels,
  }
}
