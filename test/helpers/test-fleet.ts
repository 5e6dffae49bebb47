/** What a publisher makes, for tests of devices: small signed bundles and signed wishes. */

import { brotliCompressSync } from 'node:zlib'
import { sha256Of } from '../../src/base/digest.js'
import type { Sha256 } from '../../src/base/sha256.js'
import type { Artefact } from '../../src/protocol/blob.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import { type Desired, desiredPayloadType, encodeDesired } from '../../src/protocol/desired.js'
import { sealEnvelope, type TrustPolicy } from '../../src/protocol/envelope.js'
import { generateKeys, parseSigningKey, type SigningKey, trustedKeyOf } from '../../src/protocol/keys.js'
import {
  encodeManifest,
  type Manifest,
  manifestPayloadType,
  type Variant,
} from '../../src/protocol/manifest.js'
import { bytesFrom } from './blobs.js'

export const fleetModel = 'shelf'
export const fleetDevice = 'cam-1'
const chunkSizeBytes = 1024

export interface TestBundle {
  readonly manifest: Manifest
  readonly envelope: Uint8Array
}

function hex(digit: string): Sha256 {
  return digit.repeat(64)
}

export function exampleVariant(id: string, artefact: Artefact, changes: Partial<Variant> = {}): Variant {
  return {
    id,
    kind: 'onnx',
    artefact,
    precision: 'fp32',
    form: 'edge',
    macs: 1e9,
    parameters: 1e6,
    expected: { map: 0.5, map50: 0.7, dataset: 'golden', images: 4 },
    providers: [],
    cpuNeeds: [],
    cpuPrefers: [],
    ...changes,
  }
}

/** Everything that is on the broker. */
export class TestFleet {
  readonly privatePem: string
  readonly key: SigningKey
  readonly trust: TrustPolicy
  readonly #blobs = new Map<Sha256, Uint8Array>()
  readonly #bundles = new Map<string, TestBundle>()

  /** The same key text makes the same bytes in every process. */
  constructor(privatePem: string = generateKeys().privatePem) {
    this.privatePem = privatePem
    this.key = parseSigningKey(privatePem)
    this.trust = { keys: [trustedKeyOf(this.key)] }
  }

  /** Puts version `<number>.0.0` with the sequence `number` on the broker: two variants and a golden set. */
  publish(number: number, change: (manifest: Manifest) => Manifest = (manifest) => manifest): TestBundle {
    const manifest = change({
      model: fleetModel,
      version: `${number}.0.0`,
      sequence: number,
      createdAt: '2026-01-01T00:00:00Z',
      task: 'detect',
      classNames: ['box'],
      input: { width: 64, height: 64 },
      variants: [
        exampleVariant('small', this.#plain(bytesFrom(number * 10, 3000)), { macs: 5e8 }),
        exampleVariant('large', this.#packed(Uint8Array.from({ length: 5000 }, (_, i) => (i * number) % 7))),
      ],
      golden: { artefact: this.#plain(bytesFrom(7, 1500)), images: 4 },
      source: { sha256: hex('a'), toolVersion: '0.0.0' },
    })
    const bundle = {
      manifest,
      envelope: sealEnvelope(manifestPayloadType, encodeManifest(manifest), [this.key]),
    }
    this.#bundles.set(manifest.version, bundle)
    return bundle
  }

  bundle(version: string): TestBundle | undefined {
    return this.#bundles.get(version)
  }

  retire(version: string): void {
    this.#bundles.delete(version)
  }

  /** Takes a file off the broker. */
  forget(sha256: Sha256): void {
    this.#blobs.delete(sha256)
  }

  blob(sha256: Sha256): Uint8Array | undefined {
    return this.#blobs.get(sha256)
  }

  /** A signed wish of the device for version `<number>.0.0`. */
  wish(number: number, changes: Partial<Desired> = {}, key: SigningKey = this.key): Uint8Array {
    const desired: Desired = {
      target: { kind: 'device', name: fleetDevice },
      model: fleetModel,
      version: `${number}.0.0`,
      sequence: number,
      createdAt: '2026-01-01T00:00:00Z',
      ...changes,
    }
    return sealEnvelope(desiredPayloadType, encodeDesired(desired), [key])
  }

  #plain(bytes: Uint8Array): Artefact {
    const blob = cutBlob(bytes, chunkSizeBytes)
    this.#blobs.set(blob.sha256, bytes)
    return { sha256: blob.sha256, sizeBytes: bytes.length, encoding: 'none', blob }
  }

  #packed(bytes: Uint8Array): Artefact {
    const packed = brotliCompressSync(bytes)
    const blob = cutBlob(packed, chunkSizeBytes)
    this.#blobs.set(blob.sha256, packed)
    return { sha256: sha256Of(bytes), sizeBytes: bytes.length, encoding: 'br', blob }
  }
}
