/**
 * A device in a process of its own, on the real disk, that kills itself with SIGKILL at one exact change of the disk.
 * Arguments: a JSON object, see KilledRun. Prints the problems it finds at rest as JSON, when it comes to rest.
 */

import { messageOf } from '../../src/base/errors.js'
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../src/store/fs.js'
import { problemsOf } from '../helpers/test-device.js'
import { coursesOfTable } from './courses.js'
import { CourseState, faultFleet, settleForGood, startOnCourse } from './device-run.js'

/** What such a process is told. */
export interface KilledRun {
  readonly root: string
  readonly privatePem: string
  /** Name of the course; none: only the wish. */
  readonly course: string | undefined
  readonly wished: number
  /** Changes that the journal's write on the course's row still makes; undefined: the process lives. */
  readonly point: number | undefined
}

/** Ends the process when so many changes were made as it has left. */
class MortalDisk {
  left: number | undefined
  /** Operations under way. */
  #busy = 0

  /** Waits a little, and until nothing is under way. */
  async turn(): Promise<void> {
    do await new Promise((resolve) => setTimeout(resolve, 2))
    while (this.#busy > 0)
  }

  readonly files: FileSystem = {
    stampOf: (path) => nodeFileSystem.stampOf(path),
    open: async (path, mode) => this.#open(await this.#look(nodeFileSystem.open(path, mode))),
    rename: (from, to) => this.#change(() => nodeFileSystem.rename(from, to)),
    remove: (path) => this.#change(() => nodeFileSystem.remove(path)),
    list: (folder) => this.#look(nodeFileSystem.list(folder)),
    makeFolder: (folder) => this.#look(nodeFileSystem.makeFolder(folder)),
    syncFolder: (folder) => this.#change(() => nodeFileSystem.syncFolder(folder)),
    sizeOf: (path) => this.#look(nodeFileSystem.sizeOf(path)),
    freeBytes: (folder) => this.#look(nodeFileSystem.freeBytes(folder)),
  }

  #open(file: OpenFile): OpenFile {
    return {
      read: (into, position) => this.#look(file.read(into, position)),
      write: (bytes, position) => this.#change(() => file.write(bytes, position)),
      truncate: (sizeBytes) => this.#change(() => file.truncate(sizeBytes)),
      sizeBytes: () => this.#look(file.sizeBytes()),
      sync: () => this.#change(() => file.sync()),
      close: () => this.#look(file.close()),
    }
  }

  #change<T>(operation: () => Promise<T>): Promise<T> {
    if (this.left !== undefined && this.left-- <= 0) process.kill(process.pid, 'SIGKILL')
    return this.#look(operation())
  }

  async #look<T>(operation: Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await operation
    } finally {
      this.#busy--
    }
  }
}

const run = JSON.parse(process.argv[2] ?? '{}') as KilledRun
const quiet = { name: 'no course', from: 'idle', event: 'offered', to: 'offered' } as const
const course = coursesOfTable().find(({ name }) => name === run.course)
const state = new CourseState(course ?? { ...quiet, failures: {}, losesFile: false, finalVersion: '' })
state.wished = run.wished
const disk = new MortalDisk()
const fleet = faultFleet(run.privatePem)
const device = await startOnCourse({
  files: disk.files,
  root: run.root,
  fleet,
  state,
  onJournal: (from, to) => {
    if (run.point !== undefined && from === course?.from && to === course?.to) disk.left ??= run.point
  },
  turn: () => disk.turn(),
})
const isSettled = await settleForGood(device, () => false)
const problems = await problemsOf(device).catch((thrown: unknown) => [messageOf(thrown)])
await device.stop()
process.stdout.write(
  JSON.stringify({
    isSettled,
    problems,
    activeVersion: device.activeVersion,
    files: await device.fileNames(),
  }),
)
