/**
 * The file of settings of a device, changed in a few places.
 * Invariant: what is not changed stays as it is written, comments included; the file is complete at any moment, and only its
 * owner reads it.
 */

import { existsSync, readFileSync, statSync } from 'node:fs'
import { Document, isScalar, parseDocument } from 'yaml'
import { writeFileAtomic } from '../base/atomic-file.js'

/** `[section, key]`, or `[section]` for a list such as cameras, and the value; undefined takes the setting out. */
export type Change = readonly [path: readonly string[], value: unknown]

/** `file` with `changes`, as text; a file that is absent begins empty. */
export function changedSettings(file: string, changes: readonly Change[]): string {
  const document = existsSync(file) ? parsed(file) : new Document({})
  for (const [path, value] of changes) change(document, path, value)
  return document.toString({ lineWidth: 0 })
}

function change(document: Document, path: readonly string[], value: unknown): void {
  const before = document.getIn(path, true)
  if (value === undefined) {
    // A section that is not there has nothing to take out, and the library refuses to look into it.
    if (document.hasIn(path)) document.deleteIn(path)
  }
  // A new node would lose the comment behind the old one.
  else if (isScalar(before) && (typeof value !== 'object' || value === null)) before.value = value
  else document.setIn(path, document.createNode(value))
}

/** The file was loaded before: it is a map, or holds nothing but comments. */
function parsed(file: string): Document {
  const document = parseDocument(readFileSync(file, 'utf8')) as Document
  document.contents ??= new Document({}).contents
  return document
}

/** Who the service runs as. */
const serviceUser = 'yolo-edge'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Who shall own the file: whoever owns it now, or else the user of the service where root writes and that user exists.
 * `accounts` is the list of users of the machine.
 */
export function ownerOf(file: string, accounts = '/etc/passwd'): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  if (existsSync(file)) {
    const { uid, gid } = statSync(file)
    if (uid !== 0) return { uid, gid }
  }
  const line = existsSync(accounts)
    ? readFileSync(accounts, 'utf8')
        .split('\n')
        .find((text) => text.startsWith(`${serviceUser}:`))
    : undefined
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

/** Writes `text` to `file`, mode 0600. Throws `resource.*`. */
export async function writeSettings(file: string, text: string): Promise<void> {
  const owner = ownerOf(file)
  await writeFileAtomic(file, text, { mode: 0o600, ...(owner !== undefined && { owner }) })
}
