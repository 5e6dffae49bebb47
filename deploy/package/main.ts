/**
 * `npm run package`: writes the packages of a release, for every target, on one machine and without a compiler: one for Debian
 * each, and one for npm, which has no Node.js and no native libraries in it and serves all.
 * Invariant: a package takes its name when it is complete; the same checkout gives the same bytes.
 *
 *     npm run package -- [--out DIR] [--target arm64,amd64] [--effort best|fast] [--release VERSION]
 *
 * DEBFULLNAME and DEBEMAIL name the maintainer. `--effort fast` compresses little, for trials; `--release` gives another version than package.json, for trials of upgrades.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { AgentError } from '../../src/base/errors.js'
import { reportError } from '../../src/cli/output.js'
import { type Effort, layService, writeDebianPackage } from './debian-package.js'
import { PackageShelf } from './packages.js'
import { layProgram, type Release } from './program-tree.js'
import { type PackageSizes, sizeTable, sizesOf } from './sizes.js'
import { type Target, targets } from './target.js'

/** The root of the checkout (this file runs as dist/deploy/package/main.js). */
const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

async function writePackages(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, 'dist/packages') },
      target: { type: 'string', default: targets.map(({ debian }) => debian).join(',') },
      effort: { type: 'string', default: 'best' },
      release: { type: 'string', default: versionOf(root) },
    },
  })
  const out = resolve(values.out)
  mkdirSync(out, { recursive: true })
  const release = { version: values.release, moment: momentOf(root) }
  const shelf = new PackageShelf(root, join(root, 'node_modules/.cache/yolo-edge-package'))
  const sizes: PackageSizes[] = []
  for (const target of chosenTargets(values.target))
    sizes.push(await writePackage(shelf, target, release, { out, effort: effortOf(values.effort) }))
  writeNpmPackage(out)
  const table = sizeTable(sizes)
  writeFileSync(join(out, 'sizes.md'), `${table}\n`)
  process.stdout.write(`${table}\n`)
}

async function writePackage(
  shelf: PackageShelf,
  target: Target,
  release: Release,
  { out, effort }: { readonly out: string; readonly effort: Effort },
): Promise<PackageSizes> {
  const work = mkdtempSync(join(tmpdir(), 'yolo-edge-package-'))
  const tree = join(work, 'tree')
  const name = `yolo-edge_${release.version}_${target.debian}.deb`
  try {
    await layProgram(root, tree, target, release, shelf)
    layService(root, tree, release)
    const partial = join(out, `.${name}.partial`)
    writeDebianPackage(root, tree, partial, { ...release, target, effort })
    renameSync(partial, join(out, name))
    return { name, fileBytes: statSync(join(out, name)).size, parts: sizesOf(tree) }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** `yolo-edge-agent-VERSION.tgz`, of the version that package.json says. npm gives every file the same moment. */
function writeNpmPackage(out: string): void {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', out], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function chosenTargets(text: string): readonly Target[] {
  return text.split(',').map((name) => {
    const target = targets.find(({ debian }) => debian === name)
    if (target !== undefined) return target
    const known = targets.map(({ debian }) => debian).join(', ')
    throw new AgentError('cli.argument_invalid', `--target ${name}: expected one or more of ${known}`)
  })
}

function effortOf(text: string): Effort {
  if (text === 'best' || text === 'fast') return text
  throw new AgentError('cli.argument_invalid', `--effort ${text}: expected best or fast`)
}

function versionOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly version: string })
    .version
}

/** SOURCE_DATE_EPOCH, or the moment of the commit, or that of the first version of the ZIP format: seconds since 1970. */
function momentOf(folder: string): number {
  const given = process.env['SOURCE_DATE_EPOCH']
  if (given !== undefined && /^\d+$/.test(given)) return Number(given)
  try {
    const text = execFileSync('git', ['log', '-1', '--format=%ct'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return Number(text.trim())
  } catch {
    return Date.UTC(1980, 0, 1) / 1000
  }
}

try {
  await writePackages()
} catch (thrown) {
  process.exitCode = reportError(thrown, false)
}
