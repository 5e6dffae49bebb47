/**
 * Fetches the file of a runtime's package. Invariant: this program asks no server by itself: pip, the client of the package
 * index, does, with the index, mirror and proxy that it is set up for.
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AgentError, messageOf, systemCodeOf } from '../../base/errors.js'
import type { RuntimePackage } from '../../runtime/packages/runtime-table.js'

/** An hour for 250 MB is 70 kB/s. */
const limitMs = 3_600_000

/** Has pip download the file into `folder`; returns its path. Throws `resource.tool_missing` or `network.request_timeout`. */
export async function fetchWheel(row: RuntimePackage, folder: string): Promise<string> {
  const [, interpreter = 'py3', abi = 'none', machine = 'any'] =
    /-(\w+)-(\w+)-([^-]+)\.whl$/.exec(row.file) ?? []
  const args = [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--no-color',
    '--no-deps',
    '--only-binary=:all:',
    '--no-cache-dir',
  ]
  const kind = ['--platform', machine, '--abi', abi, '--implementation', interpreter.slice(0, 2)]
  const version = interpreter === 'py3' ? [] : ['--python-version', interpreter.slice(2)]
  const what = `${row.package}==${row.version}`
  try {
    await promisify(execFile)(
      'python3',
      [...args, '--disable-pip-version-check', ...kind, ...version, '--dest', folder, what],
      { timeout: limitMs },
    )
  } catch (thrown) {
    const said = lastLine(thrown)
    const isMissing = systemCodeOf(thrown) === 'ENOENT' || said.includes('No module named pip')
    throw new AgentError(
      isMissing ? 'resource.tool_missing' : 'network.request_timeout',
      isMissing
        ? `cannot fetch ${row.file}: pip is not installed`
        : `cannot fetch ${row.file}: pip says ${said}`,
      {
        cause: thrown,
        hint: isMissing
          ? `install it: sudo apt-get install python3-pip; or fetch the file elsewhere and name it: --from ${row.file}`
          : `fetch the file elsewhere and name it: --from ${row.file}`,
      },
    )
  }
  return join(folder, row.file)
}

function lastLine(thrown: unknown): string {
  const said =
    thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr).trim().split('\n').at(-1) : ''
  return said === undefined || said === '' ? messageOf(thrown) : said
}

/** Throws `integrity.digest_mismatch` unless `path` is exactly the file of `row`. */
export async function requireWheel(row: RuntimePackage, path: string): Promise<void> {
  const { size } = await stat(path).catch((thrown: unknown) => {
    throw new AgentError('cli.argument_invalid', `cannot read ${path}: ${messageOf(thrown)}`)
  })
  const hash = createHash('sha256')
  // A file of another length is not read.
  if (size === row.bytes) for await (const part of createReadStream(path)) hash.update(part as Buffer)
  const digest = size === row.bytes ? hash.digest('hex') : undefined
  if (digest === row.sha256) return
  const found = digest === undefined ? `${size} bytes` : `the digest ${digest}`
  const expected = digest === undefined ? `${row.bytes}` : row.sha256
  throw new AgentError(
    'integrity.digest_mismatch',
    `${path} is not ${row.package} ${row.version}: it has ${found}, expected ${expected}`,
    { hint: `the file is called ${row.file}` },
  )
}
