/**
 * Runtimes are added and removed: here a small package made of the library that came along, taken from a file and from a package
 * index on this machine. Nothing that fails leaves anything.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { installedRuntimes } from '../../../src/agent/runtimes/installed-runtimes.js'
import { probeProviders } from '../../../src/agent/probe/probe-providers.js'
import { addRuntime, type AddOptions, removeRuntime } from '../../../src/cli/runtime/add-runtime.js'
import { builtInLibrary } from '../../../src/runtime/native/built-in-library.js'
import type { RuntimePackage } from '../../../src/runtime/packages/runtime-table.js'
import { zipOf } from '../../helpers/zip.js'

t.setTimeout(300_000)

const library = 'small_runtime/libonnxruntime.so.1'
const file = 'small_runtime-1.0.0-py3-none-any.whl'

interface Place {
  readonly wheel: string
  readonly row: RuntimePackage
  readonly options: AddOptions
  /** Every file below the state folder. */
  readonly files: () => readonly string[]
}

function place(t: Test, bytes: Uint8Array = readFileSync(builtInLibrary())): Place {
  const folder = t.testdir()
  const wheel = join(folder, file)
  const archive = zipOf([
    { name: library, bytes, isStored: true },
    { name: 'small_runtime/libtwin.so', bytes, isStored: true },
    { name: 'small_runtime/__init__.py', bytes: Buffer.from('pass') },
    {
      name: 'small_runtime-1.0.0.dist-info/METADATA',
      bytes: Buffer.from('Metadata-Version: 2.1\nName: small-runtime\nVersion: 1.0.0\n'),
    },
    {
      name: 'small_runtime-1.0.0.dist-info/WHEEL',
      bytes: Buffer.from('Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n'),
    },
    { name: 'small_runtime-1.0.0.dist-info/RECORD', bytes: Buffer.from('') },
  ])
  writeFileSync(wheel, archive)
  const stateDirectory = join(folder, 'state')
  mkdirSync(stateDirectory)
  return {
    wheel,
    row: {
      name: 'small',
      provider: 'cpu',
      arch: process.arch,
      package: 'small-runtime',
      version: '1.0.0',
      file,
      sha256: createHash('sha256').update(archive).digest('hex'),
      bytes: archive.length,
      library,
      isPlugin: false,
      float32: {},
      needs: 'a processor',
    },
    options: { stateDirectory, isExact: true, say: () => undefined },
    files: () =>
      readdirSync(stateDirectory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(stateDirectory.length + 1))
        .sort(),
  }
}

t.test('a runtime is added from a file, used, and removed without a trace', async (t) => {
  const { wheel, row, options, files } = place(t)
  const { stateDirectory } = options
  const record = await addRuntime(row, { ...options, from: wheel })
  t.match(record, { name: 'small', version: '1.0.0', precision: 'float32' })
  t.ok(record.ms > 0 && record.cpuMs > 0)
  t.same(files(), [
    'runtimes/small/runtime.json',
    `runtimes/small/${library}`,
    'runtimes/small/small_runtime/libtwin.so',
  ])
  const [found] = await installedRuntimes(stateDirectory)
  const path = join(found!.folder, found!.library)
  t.same(await probeProviders(['cpu'], { library: path }), [{ name: 'cpu', works: true }])
  await t.rejects(addRuntime(row, { ...options, from: wheel }), {
    code: 'cli.argument_invalid',
    message: /small is there already/,
  })
  const engine = (name: string, runtime: string): void => {
    mkdirSync(join(stateDirectory, 'engines', name), { recursive: true })
    writeFileSync(
      join(stateDirectory, 'engines', name, 'complete.json'),
      JSON.stringify({ identity: { runtime } }),
    )
  }
  engine('of-small', `${path} 1 2`)
  engine('of-other', '/opt/other.so 1 2')
  await removeRuntime('small', stateDirectory)
  t.same(files(), ['engines/of-other/complete.json'])
  t.notOk(existsSync(join(stateDirectory, 'runtimes')))
  await t.rejects(removeRuntime('small', stateDirectory), { message: /small is not there/ })
  await t.rejects(removeRuntime('../engines', stateDirectory), { message: /is not there/ })
})

t.test('what is not the package, or does not work, leaves nothing', async (t) => {
  const { wheel, row, options, files } = place(t, Buffer.from('no library'))
  const from = { ...options, from: wheel }
  await t.rejects(addRuntime(row, from), {
    code: 'inference.provider_unavailable',
    message: /runtime small does not work here/,
    hint: 'it needs a processor',
  })
  await t.rejects(addRuntime({ ...row, sha256: '0'.repeat(64) }, from), { code: 'integrity.digest_mismatch' })
  await t.rejects(addRuntime({ ...row, bytes: 5 }, from), { message: /it has \d+ bytes, expected 5/ })
  await t.rejects(addRuntime(row, { ...options, from: '/no/such.whl' }), {
    message: /cannot read \/no\/such\.whl/,
  })
  t.same(files(), [])
  t.notOk(existsSync(join(options.stateDirectory, 'runtimes')))
})

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0

t.test(
  'it is fetched from the package index that pip is set up for',
  { skip: !hasPip && 'there is no pip' },
  async (t) => {
    const { wheel, row, options, files } = place(t)
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      if (request.url?.endsWith('.whl') === true) response.end(readFileSync(wheel))
      else if (request.url === '/simple/small-runtime/') {
        response.setHeader('content-type', 'text/html')
        response.end(`<a href="/files/${file}#sha256=${row.sha256}">${file}</a>`)
      } else response.writeHead(404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    const before = { ...process.env }
    process.env['PIP_INDEX_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`
    process.env['PIP_RETRIES'] = '0'
    t.teardown(() => {
      process.env = before
    })
    const record = await addRuntime(row, options)
    t.equal(record.name, 'small')
    t.ok(asked.includes(`/files/${file}`))
    t.notOk(files().some((name) => name.includes('.fetch') || name.endsWith('.whl')))
    await removeRuntime('small', options.stateDirectory)
    await t.rejects(addRuntime({ ...row, version: '2.0.0' }, options), {
      code: 'network.request_timeout',
      message: /cannot fetch small_runtime-1\.0\.0-py3-none-any\.whl: pip says .*2\.0\.0/,
    })
    t.same(files(), [])
  },
)
