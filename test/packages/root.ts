/**
 * A clean Debian root below a folder, in which packages are installed and their program runs.
 * Invariant: what runs in the root sees its own /proc and the network of this machine; mounts live in a namespace of the
 * command, so that nothing stays mounted.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** What has to be installed before, or undefined. */
export function missingTools(): string | undefined {
  if (process.getuid?.() !== 0) return 'run it as root: a Debian root is made'
  for (const path of ['/usr/sbin/debootstrap', '/usr/bin/dpkg-deb', '/usr/bin/unshare'])
    if (!existsSync(path)) return 'apt-get install debootstrap dpkg util-linux'
  return undefined
}

export class DebianRoot {
  readonly folder: string

  /** A copy in `folder` of a root of `suite`, such as `bookworm`; the original is made once and stays in `cache`. */
  constructor(suite: string, cache: string, folder: string) {
    this.folder = folder
    const original = join(cache, `debian-${suite}`)
    if (!existsSync(original)) {
      mkdirSync(cache, { recursive: true })
      rmSync(`${original}.partial`, { recursive: true, force: true })
      execFileSync('debootstrap', ['--variant=minbase', suite, `${original}.partial`], { stdio: 'ignore' })
      renameSync(`${original}.partial`, original)
    }
    execFileSync('cp', ['-a', original, folder])
    cpSync('/etc/resolv.conf', join(folder, 'etc/resolv.conf'))
    this.run('apt-get', 'update')
  }

  /** Runs a program of the root to its end and returns what it prints. Throws when its status is not 0. */
  run(program: string, ...args: readonly string[]): string {
    const [command, list] = this.#inside(program, args)
    return execFileSync(command, list, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(),
    })
  }

  /** Starts a program of the root. */
  start(program: string, ...args: readonly string[]): ChildProcess {
    const [command, list] = this.#inside(program, args)
    return spawn(command, list, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
  }

  #inside(program: string, args: readonly string[]): readonly [string, string[]] {
    const script =
      'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && mount --bind /sys "$0/sys" && exec chroot "$0" "$@"'
    return ['unshare', ['--mount', 'sh', '-c', script, this.folder, program, ...args]]
  }

  /** Every path of the root, sorted, without what package tools keep for themselves. */
  paths(): readonly string[] {
    const own =
      /^(?:var\/(?:cache|log|lib\/apt|lib\/dpkg|lib\/systemd\/deb-systemd-helper-enabled)|proc|dev|sys|tmp|run)(?:\/|$)/
    const found: string[] = []
    const visit = (path: string): void => {
      for (const entry of readdirSync(join(this.folder, path), { withFileTypes: true })) {
        const below = path === '' ? entry.name : `${path}/${entry.name}`
        if (own.test(below)) continue
        found.push(below)
        if (entry.isDirectory()) visit(below)
      }
    }
    visit('')
    return found.sort()
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** No language, no questions. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive', NODE_OPTIONS: '' }
}
