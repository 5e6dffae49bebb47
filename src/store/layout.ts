/**
 * Where everything lies in the store's folder. Invariant: every path of the store is made here, and no name that
 * came from outside becomes part of a path unless it is a sha256.
 *
 *     blobs/<sha256>            complete, checked files
 *     partial/<sha256>.part     a download in progress, already as long as the whole
 *     partial/<sha256>.chunks   which of its chunks are on disk
 *     chunks/<sha256>           the chunk digests of a complete blob: what other blobs can take from it
 *     manifests/<sha256>        signed manifests as received
 *     outbox/<number>           messages that wait for the broker
 *     state/                    small records: slots, journal, measurements, counts, retained topics
 */

import { join } from 'node:path'
import { isSha256, type Sha256 } from '../base/sha256.js'
import { AgentError } from '../base/errors.js'

/** Digits of an outbox record's name: names sort as their numbers do. */
const OUTBOX_DIGITS = 12

export interface StoreLayout {
  readonly blobsFolder: string
  readonly partialFolder: string
  readonly chunksFolder: string
  readonly manifestsFolder: string
  readonly outboxFolder: string
  readonly stateFolder: string
  blob(sha256: Sha256): string
  partialData(sha256: Sha256): string
  partialRecord(sha256: Sha256): string
  chunkList(sha256: Sha256): string
  manifest(sha256: Sha256): string
  outboxRecord(number: number): string
  /** Path without the `.a` or `.b` of its two copies. */
  state(name: 'slots' | 'journal' | 'measurements' | 'counts' | 'retained'): string
}

/** `text` when it is 64 lower-case hexadecimal digits; throws `protocol.name_invalid` otherwise. */
function checkedSha256(text: Sha256): Sha256 {
  const quoted = JSON.stringify(text.slice(0, 80))
  if (isSha256(text)) return text
  throw new AgentError(
    'protocol.name_invalid',
    `cannot use ${quoted} as a file name in the store: expected 64 lower-case hexadecimal digits`,
  )
}

/** The layout below the absolute folder `root`. Its functions throw `protocol.name_invalid` for names that are no digest. */
export function storeLayout(root: string): StoreLayout {
  const partialFolder = join(root, 'partial')
  const folder = (name: string) => join(root, name)
  return {
    blobsFolder: folder('blobs'),
    partialFolder,
    chunksFolder: folder('chunks'),
    manifestsFolder: folder('manifests'),
    outboxFolder: folder('outbox'),
    stateFolder: folder('state'),
    blob: (sha256) => join(folder('blobs'), checkedSha256(sha256)),
    partialData: (sha256) => join(partialFolder, `${checkedSha256(sha256)}.part`),
    partialRecord: (sha256) => join(partialFolder, `${checkedSha256(sha256)}.chunks`),
    chunkList: (sha256) => join(folder('chunks'), checkedSha256(sha256)),
    manifest: (sha256) => join(folder('manifests'), checkedSha256(sha256)),
    outboxRecord: (number) => join(folder('outbox'), String(number).padStart(OUTBOX_DIGITS, '0')),
    state: (name) => join(folder('state'), name),
  }
}

/** The number in an outbox record's name, or undefined for any other name. */
export function outboxNumberOf(name: string): number | undefined {
  return new RegExp(`^[0-9]{${OUTBOX_DIGITS}}$`).test(name) ? Number(name) : undefined
}
