/** The committed YOLOv8 exports, unpacked. Invariant: every call gives fresh bytes. */

import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { fixture } from './paths.js'

/** Names of the exports in test/fixtures/onnx, sorted. */
export const exportNames: readonly string[] = readdirSync(fixture('onnx'))
  .filter((name) => name.endsWith('.onnx.gz'))
  .map((name) => name.slice(0, -'.onnx.gz'.length))
  .sort()

/** Exports in half precision: with floats at its ends, as `half=True` makes them, and with half floats there too. */
export const halfExportNames = ['half/float-ends', 'half/half-ends'] as const

/** The bytes of one of these. */
export function readExport(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(fixture('onnx', `${name}.onnx.gz`))))
}
