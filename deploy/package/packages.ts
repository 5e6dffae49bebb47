/**
 * Published packages: those of the checkout, and those of another machine's architecture, fetched and checked.
 * Invariant: what is fetched has the digest of package-lock.json or of the table of targets, or nothing is made of it.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError } from '../../src/base/errors.js'

/** A package in a folder of this machine. */
export interface Package {
  readonly name: string
  readonly version: string
  readonly folder: string
  /** SPDX expression as the package declares it, or undefined. */
  readonly license: string | undefined
  /** Subresource integrity of its archive, or undefined. */
  readonly integrity: string | undefined
}

interface LockEntry {
  readonly version: string
  readonly integrity?: string
}

/** The packages of a checkout and of its lock file. */
export class PackageShelf {
  readonly #root: string
  readonly #cache: string
  readonly #lock: Readonly<Record<string, LockEntry>>

  /** `root` is the checkout; what is fetched stays in `cache` for the next run. */
  constructor(root: string, cache: string) {
    this.#root = root
    this.#cache = cache
    const text = readFileSync(join(root, 'package-lock.json'), 'utf8')
    this.#lock = (JSON.parse(text) as { packages: Record<string, LockEntry> }).packages
  }

  /** An installed package, by its path below the checkout: `node_modules/sharp/node_modules/semver`. */
  installed(path: string): Package {
    return this.#described(join(this.#root, path), this.#lock[path]?.integrity)
  }

  /** The path of `name` as `from` finds it: nested packages first. Undefined when it is not installed. */
  resolve(name: string, from: string): string | undefined {
    for (
      let folder = from;
      ;
      folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))
    ) {
      const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
      if (existsSync(join(this.#root, path, 'package.json'))) return path
      if (folder === '') return undefined
    }
  }

  /** The package of another platform that the lock file names: `@img/sharp-linux-arm64`. */
  foreign(name: string): Package {
    const entry = this.#lock[`node_modules/${name}`]
    if (entry?.integrity === undefined)
      throw new AgentError(
        'resource.tool_missing',
        `package ${name} is not in package-lock.json with a digest`,
      )
    return this.fetched(name, entry.version, entry.integrity)
  }

  /** Fetches `name@version` once, checks `integrity`, and unpacks it. */
  fetched(name: string, version: string, integrity: string): Package {
    const folder = join(this.#cache, `${name.replace('/', '+')}-${version}`)
    if (!existsSync(folder)) this.#fetch(`${name}@${version}`, integrity, folder)
    return this.#described(join(folder, 'package'), integrity)
  }

  #fetch(spec: string, integrity: string, folder: string): void {
    mkdirSync(this.#cache, { recursive: true })
    const options = { cwd: this.#cache, encoding: 'utf8' } as const
    const archive = join(this.#cache, execFileSync('npm', ['pack', '--silent', spec], options).trim())
    const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
    if (digest !== integrity)
      throw new AgentError(
        'integrity.digest_mismatch',
        `package ${spec} has the digest ${digest}, expected ${integrity}`,
      )
    const partial = `${folder}.partial`
    rmSync(partial, { recursive: true, force: true })
    mkdirSync(partial, { recursive: true })
    execFileSync('tar', ['xzf', archive, '-C', partial])
    renameSync(partial, folder)
    rmSync(archive)
  }

  #described(folder: string, integrity: string | undefined): Package {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      readonly name: string
      readonly version: string
      readonly license?: string
    }
    return { name, version, folder, license, integrity }
  }
}
