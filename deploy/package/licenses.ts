/**
 * The licenses of everything that a package holds.
 * Invariant: every package that went in is named with its declared license; texts that several share stand once.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Package } from './packages.js'

const licenseFile = /^(?:licen[cs]e|copying|notice|third[-_ ]?party|copyright|authors)/i

/** Debian's copyright file: the license that each of `packages` declares, and where the texts are. */
export function copyrightText(packages: readonly Package[]): string {
  const lines = [...packages].sort(byName).map(({ name, version, license, folder }) => {
    const remark = licenseTextsOf(folder).length === 0 ? ' (the package holds no license text)' : ''
    return `  ${name} ${version}: ${license ?? 'no license declared'}${remark}`
  })
  return `Copyright 2026 the authors of yolo-edge-agent.

yolo-edge is licensed under the Apache License, Version 2.0; on Debian systems
its text is in /usr/share/common-licenses/Apache-2.0.

It contains these works of others, under the licenses that they declare. Their
notices and the texts of their licenses are in licenses.txt.gz beside this file.

${lines.join('\n')}
`
}

/** The texts of all licenses: `own` is that of the program. */
export function licenseTexts(own: string, packages: readonly Package[]): string {
  const owners = new Map<string, Set<string>>()
  for (const { name, version, folder } of [...packages].sort(byName)) {
    for (const text of licenseTextsOf(folder))
      owners.set(text, (owners.get(text) ?? new Set<string>()).add(`${name} ${version}`))
  }
  const sections = [...owners].map(([text, labels]) => section([...labels].join(', '), text))
  return [section('yolo-edge', own), ...sections].join('\n')
}

function section(title: string, text: string): string {
  return `${'-'.repeat(80)}\n${title}\n${'-'.repeat(80)}\n\n${text}\n`
}

function licenseTextsOf(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && licenseFile.test(entry.name))
    .map((entry) => readFileSync(join(folder, entry.name), 'utf8').replaceAll('\r\n', '\n').trim())
    .filter((text) => text !== '')
    .sort()
}

function byName(a: Package, b: Package): number {
  return a.name === b.name ? (a.version < b.version ? -1 : 1) : a.name < b.name ? -1 : 1
}
