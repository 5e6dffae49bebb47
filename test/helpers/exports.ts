/** The committed YOLOv8 exports, unpacked. Invariant: every call gives fresh bytes. */

import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { fixture } from './paths.js'

/** Names of the exports in test/fixtures/onnx, sorted. */
export const exportNames: readonly string[] = readdirSync(fixture('onnx'))
  .filter((name) => name.endsWith('.onnx.gz'))
  .map((name) => name.slice(0, -'.onnx.gz'.length))
  .sort()

/** The bytes of one of them. */
export function readExport(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(fixture('onnx', `${name}.onnx.gz`))))
}
