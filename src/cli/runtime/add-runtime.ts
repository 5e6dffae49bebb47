/**
 * Adds and removes runtimes of a device.
 * Invariant: a runtime has its place only when its bytes were checked, its provider computed right in a process of its own, and
 * it was timed; whatever fails before leaves nothing.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolderAtomic } from '../../base/atomic-file.js'
import { AgentError } from '../../base/errors.js'
import { unpackZip } from '../../base/zip-file.js'
import type { ProbeOptions } from '../../agent/probe/probe-provider.js'
import { proveProvider, timeProviderApart } from '../../agent/probe/probe-providers.js'
import { recordFile, type RuntimeRecord, runtimesFolder } from '../../agent/runtimes/installed-runtimes.js'
import { builtInLibrary } from '../../runtime/native/built-in-library.js'
import type { RuntimePackage } from '../../runtime/packages/runtime-table.js'
import { fetchWheel, requireWheel } from './fetch-wheel.js'

export interface AddOptions {
  readonly stateDirectory: string
  /** A file that was fetched before; undefined: it is fetched. */
  readonly from?: string | undefined
  /** Whether the provider is asked for float32 where it would compute in less. */
  readonly isExact: boolean
  readonly say: (text: string) => void
}

/** Libraries and licenses; modules of Python and its own binding stay behind. */
const wantedFile = /\.so(?:\.[\d.]+)?$|licen[cs]e|notice|third_?party/i
const unwantedFile = /pybind11|\.py$/

/** Adds `row`. Throws `cli.argument_invalid`, `integrity.*`, `inference.provider_unavailable`, `network.*`, `resource.*`. */
export async function addRuntime(row: RuntimePackage, options: AddOptions): Promise<RuntimeRecord> {
  const { stateDirectory, from, isExact, say } = options
  const root = runtimesFolder(stateDirectory)
  const place = join(root, row.name)
  if (existsSync(join(place, recordFile)))
    throw new AgentError('cli.argument_invalid', `runtime ${row.name} is there already, in ${place}`, {
      hint: `yolo-edge runtime remove ${row.name} takes it away`,
    })
  await mkdir(root, { recursive: true })
  const fetched = from === undefined ? await mkdtemp(join(root, '.fetch-')) : undefined
  try {
    if (fetched !== undefined) say(`fetching ${row.file} (${(row.bytes / 1e6).toFixed(0)} MB)`)
    const wheel = fetched === undefined ? from! : await fetchWheel(row, fetched)
    await requireWheel(row, wheel)
    await rm(place, { recursive: true, force: true })
    let record: RuntimeRecord | undefined
    await createFolderAtomic(place, async (folder) => {
      say('unpacking')
      await unpackZip(wheel, folder, (name) => wantedFile.test(name) && !unwantedFile.test(name))
      await joinEqualFiles(folder)
      record = await proven(row, folder, { isExact, say })
      await writeFile(join(folder, recordFile), `${JSON.stringify(record, null, 2)}\n`)
      await chmod(folder, 0o755)
    })
    return record!
  } finally {
    if (fetched !== undefined) await rm(fetched, { recursive: true, force: true })
    await removeIfEmpty(root)
  }
}

/** Packages hold the same library under several names, because wheels know no links. */
async function joinEqualFiles(folder: string): Promise<void> {
  const known = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const { size } = await stat(path)
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    const twin = known.get(`${size} ${digest}`)
    if (twin === undefined) known.set(`${size} ${digest}`, path)
    else {
      await rm(path)
      await link(twin, path)
    }
  }
}

/** Tries and times the provider of what lies in `folder`. Throws `inference.provider_unavailable`. */
async function proven(
  row: RuntimePackage,
  folder: string,
  { isExact, say }: Pick<AddOptions, 'isExact' | 'say'>,
): Promise<RuntimeRecord> {
  const path = join(folder, row.library)
  const options = isExact ? row.float32 : {}
  const session: ProbeOptions = {
    library: row.isPlugin ? builtInLibrary() : path,
    providerOptions: { [row.provider]: options },
    ...(row.isPlugin && { providerLibraries: { [row.provider]: path } }),
  }
  say('trying it')
  const {
    works,
    precision,
    reason = 'it does not work',
  } = await proveProvider({ name: row.provider, options: session })
  if (!works || precision === undefined)
    throw new AgentError(
      'inference.provider_unavailable',
      `runtime ${row.name} does not work here: ${reason}`,
      {
        hint: `it needs ${row.needs}`,
      },
    )
  say('timing it')
  const { ms, cpuMs } = await timed(row, session)
  const { name, provider, version, library, isPlugin } = row
  return { name, provider, package: row.package, version, library, isPlugin, options, precision, ms, cpuMs }
}

/** In turns, so that other work on this machine slows both. */
async function timed(
  row: RuntimePackage,
  session: ProbeOptions,
): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const orders = { cpu: { name: 'cpu', options: {} }, own: { name: row.provider, options: session } }
  const times = { cpu: Number.POSITIVE_INFINITY, own: Number.POSITIVE_INFINITY }
  for (const who of ['cpu', 'own', 'cpu', 'own'] as const) {
    const time = await timeProviderApart(orders[who])
    if ('reason' in time)
      throw new AgentError(
        'inference.provider_unavailable',
        `runtime ${row.name} computes, but no detector: ${time.reason}`,
      )
    times[who] = Math.min(times[who], time.ms)
  }
  return { ms: times.own, cpuMs: times.cpu }
}

/** Takes the runtime `name` away, with the engines that it built. Throws `cli.argument_invalid` where it is not there. */
export async function removeRuntime(name: string, stateDirectory: string): Promise<void> {
  const root = runtimesFolder(stateDirectory)
  const place = join(root, name)
  if (!/^[a-z0-9-]+$/.test(name) || !existsSync(place))
    throw new AgentError('cli.argument_invalid', `runtime ${name} is not there: expected a folder ${place}`, {
      hint: 'yolo-edge runtime list shows what is there',
    })
  await removeEngines(join(stateDirectory, 'engines'), `${place}/`)
  await rm(place, { recursive: true })
  await removeIfEmpty(root)
}

/** Engines name the library that built them. */
async function removeEngines(folder: string, library: string): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const text = await readFile(join(folder, name, 'complete.json'), 'utf8').catch(() => '')
    if (text.includes(JSON.stringify(library).slice(1, -1))) await rm(join(folder, name), { recursive: true })
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  // Another runtime lies there.
  await rmdir(folder).catch(() => undefined)
}
