/** Small real videos, made by ffmpeg when a test needs them. Invariant: their pixels are known exactly (lossless codec). */

import { execFileSync, spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

/** The reason to skip a test that needs a program, or false where it is installed. */
export function skipWithoutTool(tool: string): string | false {
  return spawnSync(tool, ['-version']).error === undefined ? false : `${tool} is not installed`
}

export interface ClipOptions {
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly fps: number
}

/** The grey value of every pixel of frame `index` of a counted clip. */
export function countedGrey(index: number): number {
  return (10 + index * 7) % 250
}

/** Writes a lossless clip whose frame n is plain grey of value countedGrey(n). `path` ends in .mkv. */
export function writeCountedClip(path: string, { width, height, frames, fps }: ClipOptions): void {
  const grey = `geq=r='mod(10+N*7,250)':g='mod(10+N*7,250)':b='mod(10+N*7,250)'`
  const source = `color=black:size=${width}x${height}:rate=${fps},format=rgb24,${grey}`
  writeClip(path, [
    '-f',
    'lavfi',
    '-i',
    source,
    '-frames:v',
    String(frames),
    '-c:v',
    'png',
    '-pix_fmt',
    'rgb24',
  ])
}

/** Runs ffmpeg with `args` and writes to `path`. */
export function writeClip(path: string, args: readonly string[]): void {
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args, path])
}

/** The processes that this one started and that have not been waited for, by command name. */
export function childProcesses(): { readonly pid: number; readonly name: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, command, rest] =
          /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? []
        const isOurs = Number(rest?.split(' ')[1]) === process.pid
        return isOurs && command !== undefined ? [{ pid: Number(name), name: command }] : []
      } catch {
        // The process ended while we looked.
        return []
      }
    })
}

/** For the rest of the test `t`, only the programs `names` are found, and those in the folder `before`, first. */
export function allowOnlyTools(t: Test, names: readonly string[], before?: string): void {
  const { PATH = '' } = process.env
  t.teardown(() => {
    process.env['PATH'] = PATH
  })
  const found = names.map((name) => [name, t.fixture('symlink', locate(name, PATH))] as const)
  const folder = t.testdir(Object.fromEntries(found))
  process.env['PATH'] = before === undefined ? folder : `${before}:${folder}`
}

function locate(name: string, path: string): string {
  for (const folder of path.split(':')) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch {
      // Not in this folder.
    }
  }
  return `/nowhere/${name}`
}
