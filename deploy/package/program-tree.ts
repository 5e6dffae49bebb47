/**
 * The files of an installed program, as they lie below / on the device.
 * Invariant: everything is below usr/, etc/ or lib/; modes are 0755 and 0644 whatever the umask; every file has the
 * moment of the source.
 */

import {
  chmodSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { billOfMaterials } from './bill-of-materials.js'
import { copyrightText, licenseTexts } from './licenses.js'
import { copyNativePackages } from './native-packages.js'
import type { Package, PackageShelf } from './packages.js'
import { writeProgramCode } from './program-code.js'
import { slimNode } from './slim-node.js'
import { nodeVersion, type Target } from './target.js'

/** What is packed, and where from. */
export interface Release {
  readonly version: string
  /** Seconds since 1970: that of every file. */
  readonly moment: number
}

/** Where the program lies on a device. */
export const programFolder = 'usr/lib/yolo-edge'
const documents = 'usr/share/doc/yolo-edge'

/** DEP0169 is a remark about url.parse, which the MQTT client calls on addresses that the settings have checked. */
const launcher = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/node" --disable-warning=DEP0169 "$here/../dist/src/cli/main.js" "$@"
`

/** Files that code names by a path relative to itself, besides scripts, models and the page: paths below the checkout. */
export function resourcesOf({ cpu }: Target): readonly string[] {
  return [`lib/linux-${cpu}/libyolo-edge-operators.so`, 'protocol/examples.json']
}

/** Lays everything that belongs to the program into the folder `tree`, which must not exist. */
export async function layProgram(
  root: string,
  tree: string,
  target: Target,
  release: Release,
  shelf: PackageShelf,
): Promise<void> {
  const program = join(tree, programFolder)
  mkdirSync(join(program, 'bin'), { recursive: true })
  const bundled = await writeProgramCode(root, join(root, 'dist/src'), join(program, 'dist/src'))
  const page = 'dist/src/dashboard/page'
  for (const name of readdirSync(join(root, page)).filter(isPageFile)) copy(root, program, join(page, name))
  const native = copyNativePackages(shelf, target, join(program, 'node_modules'))
  for (const name of readdirSync(join(root, 'models/parts')).filter((file) => file.endsWith('.onnx')))
    copy(root, program, join('models/parts', name))
  for (const path of resourcesOf(target)) copy(root, program, path)
  writeFileSync(join(program, 'package.json'), packageFile(root, release))
  const node = shelf.fetched(`node-linux-${target.cpu}`, nodeVersion, target.nodeIntegrity)
  writeFileSync(join(program, 'bin/node'), slimNode(readFileSync(join(node.folder, 'bin/node'))), {
    mode: 0o755,
  })
  writeFileSync(join(program, 'bin/yolo-edge'), launcher, { mode: 0o755 })
  mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/yolo-edge/bin/yolo-edge', join(tree, 'usr/bin/yolo-edge'))
  layDocuments(root, join(tree, documents))
  const parts = uniqueParts([
    ...bundled.map((path) => shelf.installed(path)),
    ...pagePackages(root).map((path) => shelf.installed(path)),
    ...native,
    { ...node, license: node.license ?? 'MIT' },
  ])
  writeFileSync(join(tree, documents, 'copyright'), copyrightText(parts))
  const texts = licenseTexts(readFileSync(join(root, 'LICENSE'), 'utf8'), parts)
  writeFileSync(join(tree, documents, 'licenses.txt.gz'), gzipSync(texts, { level: 9 }))
  const models = readdirSync(join(program, 'models/parts')).map((name) => ({
    name,
    bytes: readFileSync(join(program, 'models/parts', name)),
  }))
  const bill = billOfMaterials({ ...release, arch: target.debian }, parts, models)
  writeFileSync(join(tree, documents, 'yolo-edge.cdx.json'), bill)
}

/** What the page in the browser loads; TypeScript's output beside it is for tests. */
function isPageFile(name: string): boolean {
  return ['index.html', 'page.js', 'page.css', 'link-worker.js'].includes(name)
}

/** The packages that the page of the dashboard holds, as its build wrote them down: paths below the checkout. */
function pagePackages(root: string): readonly string[] {
  return JSON.parse(readFileSync(join(root, 'dist/page-packages.json'), 'utf8')) as readonly string[]
}

/** README, the guides and the pictures, in the places that their links name. */
function layDocuments(root: string, folder: string): void {
  copy(root, folder, 'README.md')
  copy(root, folder, 'ARCHITECTURE.md')
  const chosen = ['config', 'deploy', 'docs', 'src/dashboard/pictures', 'models/parts']
  for (const below of chosen) {
    for (const entry of readdirSync(join(root, below), { withFileTypes: true }))
      if (entry.isFile() && /\.(?:md|png|acl|conf|yaml|txt)$/.test(entry.name))
        copy(root, folder, join(below, entry.name))
  }
  for (const below of ['config/compress', 'deploy/mosquitto', 'deploy/nats'])
    for (const name of readdirSync(join(root, below))) copy(root, folder, join(below, name))
}

/** The package.json of an installed program: its name, version, license and the kind of its modules. */
function packageFile(root: string, { version }: Release): string {
  const { name, description, license } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Readonly<Record<string, unknown>>
  return `${JSON.stringify({ name, version, description, license, type: 'module' }, null, 2)}\n`
}

function copy(root: string, to: string, path: string): void {
  mkdirSync(dirname(join(to, path)), { recursive: true })
  cpSync(join(root, path), join(to, path))
}

function uniqueParts(parts: readonly Package[]): readonly Package[] {
  return [...new Map(parts.map((part) => [`${part.name}@${part.version}`, part])).values()]
}

/** Gives every entry below `tree` its mode and the moment of the release. `modes` names the exceptions by path. */
export function settle(tree: string, moment: number, modes: Readonly<Record<string, number>> = {}): void {
  const visit = (path: string): void => {
    const full = join(tree, path)
    for (const entry of readdirSync(full, { withFileTypes: true })) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      const file = join(tree, below)
      if (entry.isDirectory()) visit(below)
      else if (!entry.isSymbolicLink()) {
        const isProgram = (statSync(file).mode & 0o100) !== 0
        chmodSync(file, modes[below] ?? (isProgram ? 0o755 : 0o644))
      }
      lutimesSync(file, moment, moment)
    }
    chmodSync(full, modes[path] ?? 0o755)
    lutimesSync(full, moment, moment)
  }
  visit('')
}
