/** YAML files that people write. Invariant: what comes back is a map; anything else is refused with the file's name. */

import { readFileSync } from 'node:fs'
import { parse, YAMLParseError } from 'yaml'
import { AgentError, messageOf } from '../base/errors.js'

/** What is wrong, without the text of the line: it may be that of a password. */
function problemOf(thrown: unknown): string {
  if (thrown instanceof YAMLParseError) {
    const { line = 0, col = 0 } = thrown.linePos?.[0] ?? {}
    const problem = thrown.code.toLowerCase().replaceAll('_', ' ')
    return `line ${line}, column ${col} is no YAML (${problem}); values with marks such as # : * & [ need quotes`
  }
  if (thrown instanceof ReferenceError) return 'a value that begins with * needs quotes'
  return messageOf(thrown)
}

/**
 * Reads `file`, which is `what` ("the configuration"); `example` is a section of such a file. An empty file is an
 * empty map. Throws `config.file_unreadable`.
 */
export function readYamlMap(file: string, what: string, example: string): Record<string, unknown> {
  let content: unknown
  try {
    content = parse(readFileSync(file, 'utf8')) ?? {}
  } catch (thrown) {
    throw new AgentError('config.file_unreadable', `cannot read ${what} ${file}: ${problemOf(thrown)}`)
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content))
    return content as Record<string, unknown>
  throw new AgentError(
    'config.file_unreadable',
    `${what} ${file} should be a map of sections, for example "${example}"`,
  )
}
