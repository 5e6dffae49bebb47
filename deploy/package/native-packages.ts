/**
 * The packages that stay packages in an installed program: those with native libraries, and what they import.
 * Invariant: only files that this target loads are copied; no source, types, tests or other platform's libraries.
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { outsidePackages } from './program-code.js'
import type { Package, PackageShelf } from './packages.js'
import { stripElf } from './strip-elf.js'
import type { Target } from './target.js'

/** Dependencies that only an install script imports, by the package that names them. */
const installOnly: Readonly<Record<string, readonly string[]>> = {
  'onnxruntime-node': ['adm-zip', 'global-agent'],
}

/** Files that are loaded at run time, below the folder of any package. */
const loadedFile = /\.(?:js|cjs|mjs|json|node|wasm)$|\.so(?:\.[\d.]+)?$/
/** Folders of packages that hold sources, tools and tests. */
const unloadedFolder =
  /(?:^|\/)(?:src\/koffi\/src\/(?!static|trampolines)|script|install|test|tests|vendor|musl_\w+|node_modules)\//
const unloadedFile = /^(?:bin\/semver\.js|cnoke\.cjs|src\/[^/]+\.(?:cc|h))$/

/** Copies the native packages of `target` into `modules` (a node_modules folder) and returns which they are. */
export function copyNativePackages(shelf: PackageShelf, target: Target, modules: string): readonly Package[] {
  const packages: Package[] = []
  const seen = new Set<string>()
  const add = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    const found = shelf.installed(path)
    packages.push(found)
    copyLoaded(found.folder, join(modules, path.slice('node_modules/'.length)), target)
    for (const name of dependenciesOf(found)) {
      const dependency = shelf.resolve(name, path)
      if (dependency !== undefined) add(dependency)
    }
  }
  for (const name of outsidePackages) add(`node_modules/${name}`)
  for (const name of platformPackages(target)) {
    const found = shelf.foreign(name)
    packages.push(found)
    copyLoaded(found.folder, join(modules, name), target)
  }
  return packages
}

function platformPackages({ cpu }: Target): readonly string[] {
  return [`@img/sharp-linux-${cpu}`, `@img/sharp-libvips-linux-${cpu}`, `@koromix/koffi-linux-${cpu}`]
}

function dependenciesOf({ name, folder }: Package): readonly string[] {
  const text = readFileSync(join(folder, 'package.json'), 'utf8')
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Readonly<Record<string, string>> }
  return Object.keys(dependencies).filter((key) => !(installOnly[name] ?? []).includes(key))
}

/** Copies what is loaded at run time; native libraries lose their symbols on the way, scripts the line that names an interpreter. */
function copyLoaded(folder: string, to: string, target: Target): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name)
    const path = relative(folder, from)
    if (!entry.isFile() || !loadedFile.test(path) || unloadedFolder.test(path) || unloadedFile.test(path))
      continue
    if (isOtherPlatform(path, target)) continue
    const copy = join(to, path)
    mkdirSync(dirname(copy), { recursive: true })
    if (/\.node$|\.so/.test(path)) writeFileSync(copy, stripElf(readFileSync(from)))
    else if (path.endsWith('js')) writeFileSync(copy, readFileSync(from, 'utf8').replace(/^#!.*\n/, ''))
    else cpSync(from, copy)
  }
}

/** ONNX Runtime keeps the libraries of every platform in one package: bin/napi-v6/linux/arm64/... */
function isOtherPlatform(path: string, { cpu }: Target): boolean {
  const [, platform, arch] = /^bin\/[^/]+\/([^/]+)\/([^/]+)\//.exec(path) ?? []
  return platform !== undefined && (platform !== 'linux' || arch !== cpu)
}
