/**
 * Loads one module changed: node --import .../loader.js with MUTANT, the path of a JSON file with `url` and `source`.
 * Processes and threads that a test starts inherit it. Invariant: nothing on disk changes.
 */

import { readFileSync } from 'node:fs'
import { register } from 'node:module'

const { url, source } = JSON.parse(readFileSync(process.env['MUTANT']!, 'utf8')) as {
  readonly url: string
  readonly source: string
}

const hooks = `export async function load(url, context, next) {
  return url === ${JSON.stringify(url)}
    ? { format: 'module', source: ${JSON.stringify(source)}, shortCircuit: true }
    : next(url, context)
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
