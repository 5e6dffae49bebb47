/**
 * Damaged wishes, manifests and commands, in front of what reads them on a device.
 * Invariant: damage that leaves the signed bytes and their signature as they were is no damage; it is counted apart.
 */

import { AgentError } from '../../src/base/errors.js'
import { seededRandom, type Random } from '../../src/base/random.js'
import { encodeCommand, parseCommand } from '../../src/protocol/command.js'
import { desiredPayloadType, encodeDesired, parseDesired } from '../../src/protocol/desired.js'
import { openEnvelope, sealEnvelope } from '../../src/protocol/envelope.js'
import { parseEnvelope } from '../../src/protocol/envelope-form.js'
import { generateKeys, parseSigningKey } from '../../src/protocol/keys.js'
import { manifestPayloadType, parseManifest } from '../../src/protocol/manifest.js'
import { WishBook } from '../../src/update/wishes.js'
import { mutate } from './mutate.js'
import { fleetDevice, TestFleet } from './test-fleet.js'

export interface MutationFigures {
  readonly messages: number
  /** Signed messages that were believed although what they say had changed, with the seed that makes them. */
  readonly accepted: readonly string[]
  /** Anything thrown that is not a refusal with a code. */
  readonly crashes: readonly string[]
  /** Refusals by code. */
  readonly refused: Readonly<Record<string, number>>
  /** Envelopes that still hold the same signed bytes: damage in white space, in a field that nobody reads. */
  readonly unchanged: number
  /** Unsigned texts that still have the form of a command, a wish or a manifest: reading proves nothing about trust. */
  readonly stillReadable: number
  readonly slowestMs: number
  /** The most that the heap grew over its start, bytes. */
  readonly heapGrowthBytes: number
}

type Outcome = 'refused' | 'accepted' | 'unchanged' | 'readable'

/** Damages one message and gives it to its reader. */
type Attack = (random: Random) => Outcome

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b)

function attacks(): readonly (readonly [name: string, attack: Attack])[] {
  const fleet = new TestFleet()
  const stranger = parseSigningKey(generateKeys().privatePem)
  const rollout = { percent: 50, salt: 'salt', notBefore: '2026-01-01T00:00:00Z' }
  const wish = fleet.wish(3, { rollout })
  const manifest = fleet.publish(3).envelope
  const payloadOf = (envelope: Uint8Array, type: string): Uint8Array =>
    openEnvelope(envelope, type, fleet.trust).payload
  const wishPayload = payloadOf(wish, desiredPayloadType)
  const manifestPayload = payloadOf(manifest, manifestPayloadType)
  const command = encodeCommand({
    transaction: 'a1',
    expiresAt: '2026-01-01T00:00:00Z',
    args: { camera: 'front', seconds: 30 },
  })

  /** Another payload under the signatures of the right one. */
  const swapped = (type: string, envelope: Uint8Array, payload: Uint8Array): Uint8Array =>
    Buffer.from(
      JSON.stringify({
        ...parseEnvelope(envelope, [type]),
        payload: Buffer.from(payload).toString('base64'),
      }),
    )
  const takeWish = (bytes: Uint8Array): Outcome => {
    const book = new WishBook(fleetDevice, {})
    book.take({ kind: 'device', name: fleetDevice }, bytes, { trust: fleet.trust, nowMs: 0 })
    return same(payloadOf(bytes, desiredPayloadType), wishPayload) ? 'unchanged' : 'accepted'
  }
  const takeManifest = (bytes: Uint8Array): Outcome => {
    const { payload } = openEnvelope(bytes, manifestPayloadType, fleet.trust)
    parseManifest(payload)
    return same(payload, manifestPayload) ? 'unchanged' : 'accepted'
  }
  return [
    ['wish envelope', (random) => takeWish(mutate(wish, random))],
    ['manifest envelope', (random) => takeManifest(mutate(manifest, random))],
    [
      'wish under another signature',
      (random) => takeWish(swapped(desiredPayloadType, wish, mutate(wishPayload, random))),
    ],
    [
      'manifest under another signature',
      (random) => takeManifest(swapped(manifestPayloadType, manifest, mutate(manifestPayload, random))),
    ],
    [
      'wish of a stranger',
      (random) => takeWish(sealEnvelope(desiredPayloadType, mutate(wishPayload, random), [stranger])),
    ],
    ['manifest as a wish', (random) => takeWish(mutate(manifest, random))],
    [
      'bare wish',
      (random) => {
        encodeDesired(parseDesired(mutate(wishPayload, random)))
        return 'readable'
      },
    ],
    [
      'bare manifest',
      (random) => {
        parseManifest(mutate(manifestPayload, random))
        return 'readable'
      },
    ],
    [
      'command',
      (random) => {
        encodeCommand(parseCommand(mutate(command, random)))
        return 'readable'
      },
    ],
  ]
}

/** Gives `count` damaged messages to their readers, one a seed from `firstSeed` on. */
export function readMutated(count: number, firstSeed: number): MutationFigures {
  const known = attacks()
  const accepted: string[] = []
  const crashes: string[] = []
  const refused: Record<string, number> = {}
  const counts = { unchanged: 0, readable: 0 }
  let slowestMs = 0
  let heapGrowthBytes = 0
  const heapBefore = process.memoryUsage().heapUsed
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const [name, attack] = known[seed % known.length]!
    const startMs = performance.now()
    try {
      const outcome = attack(seededRandom(seed))
      if (outcome === 'accepted') accepted.push(`${name}, seed ${seed}`)
      else if (outcome !== 'refused') counts[outcome]++
    } catch (thrown) {
      if (thrown instanceof AgentError && !thrown.code.startsWith('internal.'))
        refused[thrown.code] = (refused[thrown.code] ?? 0) + 1
      else crashes.push(`${name}, seed ${seed}: ${String(thrown)}`)
    }
    slowestMs = Math.max(slowestMs, performance.now() - startMs)
    if (seed % 500 === 0)
      heapGrowthBytes = Math.max(heapGrowthBytes, process.memoryUsage().heapUsed - heapBefore)
  }
  return {
    messages: count,
    accepted,
    crashes,
    refused,
    unchanged: counts.unchanged,
    stillReadable: counts.readable,
    slowestMs,
    heapGrowthBytes,
  }
}
