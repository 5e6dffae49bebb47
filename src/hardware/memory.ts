/**
 * Memory that the program may take: of the machine, less where its control group says so.
 * Invariant: the tightest limit on the way from the program's group to the root counts.
 */

import type { MemoryState } from './hardware-profile.js'
import type { MachineFiles } from './machine-files.js'

export async function readMemory(files: MachineFiles): Promise<MemoryState> {
  const info = (await files.text('/proc/meminfo')) ?? ''
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(info)?.[1] ?? 0) * 1024
  const memoryTotalBytes = field('MemTotal')
  const memoryAvailableBytes = field('MemAvailable')
  const group = await tightestGroup(files)
  if (group === undefined || group.limitBytes >= memoryTotalBytes)
    return { memoryTotalBytes, memoryAvailableBytes }
  const { limitBytes, usedBytes } = group
  const leftBytes = Math.max(0, limitBytes - usedBytes)
  return {
    memoryTotalBytes: limitBytes,
    memoryAvailableBytes: Math.min(memoryAvailableBytes, leftBytes),
    memoryLimitBytes: limitBytes,
  }
}

interface Group {
  readonly limitBytes: number
  readonly usedBytes: number
}

interface Hierarchy {
  readonly mount: string
  readonly limit: string
  readonly used: string
}

const unified: Hierarchy = { mount: '/sys/fs/cgroup', limit: 'memory.max', used: 'memory.current' }
const legacy: Hierarchy = {
  mount: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
}

async function tightestGroup(files: MachineFiles): Promise<Group | undefined> {
  let tightest: Group | undefined
  for (const { hierarchy, path } of await groupsOf(files)) {
    const { mount, limit, used } = hierarchy
    for (const folder of foldersUpFrom(path)) {
      // `max` is no number: no limit.
      const limitBytes = await files.number(`${mount}${folder}/${limit}`)
      if (limitBytes === undefined || (tightest !== undefined && limitBytes >= tightest.limitBytes)) continue
      tightest = { limitBytes, usedBytes: (await files.number(`${mount}${folder}/${used}`)) ?? 0 }
    }
  }
  return tightest
}

/** The program's groups: `0::/path` in version 2, `5:memory:/path` in version 1; inside a container often the root. */
async function groupsOf(
  files: MachineFiles,
): Promise<readonly { readonly hierarchy: Hierarchy; readonly path: string }[]> {
  const lines = ((await files.text('/proc/self/cgroup')) ?? '').split('\n')
  const groups = lines.flatMap((line) => {
    const [, number, controllers = '', path = '/'] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (controllers.split(',').includes('memory')) return [{ hierarchy: legacy, path }]
    return number === '0' ? [{ hierarchy: unified, path }] : []
  })
  return [...groups, { hierarchy: unified, path: '/' }, { hierarchy: legacy, path: '/' }]
}

/** `/a/b`, `/a`, and the empty path. */
function foldersUpFrom(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`).concat('')
}
