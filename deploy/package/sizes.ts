/**
 * What an installed program takes, part by part.
 * Invariant: every regular file of the tree is counted once, in the first row that names a folder above it.
 */

import { join } from 'node:path'
import { readdirSync, statSync } from 'node:fs'

/** A row: what it is, and the start of the paths that belong to it, below the root of the device. */
const rows: readonly (readonly [string, RegExp])[] = [
  ['Node.js', /^usr\/lib\/yolo-edge\/bin\/node$/],
  ['ONNX Runtime (onnxruntime-node, onnxruntime-common)', /\/node_modules\/onnxruntime-/],
  ['libvips (@img/sharp-libvips)', /\/node_modules\/@img\/sharp-libvips/],
  ['sharp', /\/node_modules\/(?:sharp|@img|detect-libc|semver)\//],
  ['koffi', /\/node_modules\/(?:koffi|@koromix)\//],
  ['other packages', /\/node_modules\//],
  ['program, with the packages bundled in it', /\/dist\/src\/(?!dashboard)/],
  ["dashboard's page", /\/dist\/src\/dashboard\//],
  ['fused operators of int8', /\/yolo-edge\/lib\//],
  ['models/parts', /\/models\//],
  [
    'licenses and bill of materials',
    /\/doc\/yolo-edge\/(?:copyright|licenses\.txt\.gz|yolo-edge\.cdx\.json)$/,
  ],
  ['README, guides, pictures', /\/doc\/yolo-edge\//],
]
const rest = 'unit, launcher, settings'

/** Bytes of each part of `tree`, in the order of the table. */
export function sizesOf(tree: string): ReadonlyMap<string, number> {
  const sizes = new Map([...rows.map(([name]) => name), rest].map((name) => [name, 0]))
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name).slice(tree.length + 1)
    if (path.startsWith('DEBIAN/')) continue
    const name = rows.find(([, pattern]) => pattern.test(path))?.[0] ?? rest
    sizes.set(name, (sizes.get(name) ?? 0) + statSync(join(tree, path)).size)
  }
  return sizes
}

/** A package and the parts of what it installs, bytes. */
export interface PackageSizes {
  readonly name: string
  readonly fileBytes: number
  readonly parts: ReadonlyMap<string, number>
}

/** A table in Markdown, megabytes of 1,000,000 bytes. */
export function sizeTable(packages: readonly PackageSizes[]): string {
  const columns = packages.map(({ name }) => name)
  const row = (name: string, values: readonly number[]): string =>
    `| ${[name, ...values.map((bytes) => (bytes / 1e6).toFixed(2))].join(' | ')} |`
  const total = ({ parts }: PackageSizes): number =>
    [...parts.values()].reduce((sum, bytes) => sum + bytes, 0)
  return [
    `| MB | ${columns.join(' | ')} |`,
    `| --- | ${columns.map(() => '---').join(' | ')} |`,
    ...[...rows.map(([name]) => name), rest].map((name) =>
      row(
        name,
        packages.map(({ parts }) => parts.get(name) ?? 0),
      ),
    ),
    row('**installed**', packages.map(total)),
    row(
      '**installed, without Node.js**',
      packages.map((one) => total(one) - (one.parts.get('Node.js') ?? 0)),
    ),
    row(
      '**file to download**',
      packages.map(({ fileBytes }) => fileBytes),
    ),
  ].join('\n')
}
