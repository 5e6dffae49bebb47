/**
 * Where the brokers come from: packages of Debian, Go and Maven, each fetched once into a folder and kept there.
 * Invariant: versions are pinned; a folder counts as fetched only when its last step is done.
 */

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const limitMs = 15 * 60_000

/** Names of the Debian releases whose packages are used, each as a root of its own that brokers run in by chroot. */
export type DebianRelease = 'bookworm' | 'trixie'

const debianPackages = ['mosquitto', 'nats-server', 'rabbitmq-server', 'adduser']

/** Fetches what is not there yet into one folder. */
export class Software {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
  }

  /** A root of a Debian release with its brokers. Needs root, debootstrap and chroot. */
  async debianRoot(release: DebianRelease): Promise<string> {
    return this.#once(release, async (target) => {
      const { stdout } = await run('apt-get', ['indextargets', '--format', '$(RELEASE) $(COMPONENT) $(SITE)'])
      const site = /^\S+ main (\S*debian)$/m.exec(stdout)?.[1]
      if (site === undefined) throw new Error('apt-get knows no site of Debian')
      await run(
        'debootstrap',
        ['--variant=minbase', `--include=${debianPackages.join(',')}`, release, target, site],
        { timeout: limitMs, maxBuffer: 1 << 26 },
      )
      writeFileSync(join(target, 'etc', 'hosts'), '127.0.0.1 localhost\n')
    })
  }

  /** The version of a package in a root. */
  async debianVersion(release: DebianRelease, name: string): Promise<string> {
    const root = await this.debianRoot(release)
    const { stdout } = await run('chroot', [root, 'dpkg-query', '-W', '-f', '${Version}', name])
    return stdout
      .trim()
      .replace(/^\d+:/, '')
      .replace(/-[^-]*$/, '')
  }

  /** A program of a Go module. Needs the go command. */
  async goProgram(name: string, module: string, version: string): Promise<string> {
    const folder = await this.#once(`${name}-${version}`, async (target) => {
      await run('go', ['install', `${module}@${version}`], {
        env: { ...process.env, GOBIN: target, GOFLAGS: '-p=2' },
        timeout: limitMs,
        maxBuffer: 1 << 26,
      })
    })
    return join(
      folder,
      module
        .split('/')
        .at(-1)!
        .replace(/^v\d+$/, module.split('/').at(-2)!),
    )
  }

  /** A folder with a jar and everything that it needs. Needs the mvn command. */
  async jarFolder(group: string, artifact: string, version: string): Promise<string> {
    return this.#once(`${artifact}-${version}`, async (target) => {
      const dependency = `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
      const project = `<project><modelVersion>4.0.0</modelVersion><groupId>brokers</groupId><artifactId>brokers</artifactId><version>1</version><dependencies>${dependency}</dependencies></project>`
      mkdirSync(target, { recursive: true })
      writeFileSync(join(target, 'pom.xml'), project)
      await run('mvn', ['-q', 'dependency:copy-dependencies', '-DoutputDirectory=.'], {
        cwd: target,
        timeout: limitMs,
        maxBuffer: 1 << 26,
      })
    })
  }

  /** Calls `fetch` with a folder to fill unless it was filled before. */
  async #once(name: string, fetch: (target: string) => Promise<void>): Promise<string> {
    const folder = join(this.#folder, name)
    if (existsSync(folder)) return folder
    const unfinished = `${folder}.part`
    rmSync(unfinished, { recursive: true, force: true })
    mkdirSync(unfinished, { recursive: true })
    await fetch(unfinished)
    renameSync(unfinished, folder)
    return folder
  }
}
