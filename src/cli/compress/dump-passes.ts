/**
 * `compress --dump-passes`: what the graph is after each pass and each step, as text, to be compared with diff.
 * Invariant: a file is written as soon as its pass is done, so that the last file shows what a pass that fails was given.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf } from '../../base/errors.js'
import type { PassListener } from '../../compress/run-passes.js'
import { printGraph } from '../../onnx/print-graph.js'

/**
 * Writes `00-<name>.txt`, `01-<name>.txt`, ... into `folder`, which is made where it is missing. Throws `resource.file_unwritable`
 * where that cannot be done.
 */
export function passDump(folder: string): PassListener {
  let count = 0
  return (name, graph) => {
    const file = `${String(count).padStart(2, '0')}-${name.replaceAll(/[^A-Za-z0-9_-]+/g, '-')}.txt`
    count++
    try {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, file), printGraph(graph))
    } catch (thrown) {
      throw new AgentError(
        'resource.file_unwritable',
        `cannot write ${file} into the folder of --dump-passes ${folder}: ${messageOf(thrown)}`,
        { cause: thrown },
      )
    }
  }
}
