/** Examples of messages, taken from a run of the demo. Invariant: of each kind the largest within a bound, which has most fields. */

import { messageKinds } from '../../src/protocol/catalogue.js'
import type { ExampleMessage, Examples } from '../../src/protocol/documents.js'
import { unverifiedPayload } from '../../src/protocol/envelope-form.js'
import { defaultRoot, parseTopic } from '../../src/protocol/topics.js'
import { type HeardMessage, recordDemo } from './demo-traffic.js'

const exampleBytesMax = 20_000
/** Without its picture an event says more to whoever reads it. */
const eventBytesMax = 1000

export async function recordedExamples(): Promise<Examples> {
  const { live } = await recordDemo(new Map([['tracking.enabled', true]]), hasAllKinds)
  const examples: Partial<Record<string, ExampleMessage>> = {}
  const bytesOf = (message: HeardMessage): number => message.payload.byteLength
  for (const { kind, forms, signed } of messageKinds) {
    const all = live.filter(({ topic }) => parseTopic(defaultRoot, topic)?.kind === kind)
    const small = all.filter(
      (message) => bytesOf(message) <= (kind === 'events' ? eventBytesMax : exampleBytesMax),
    )
    const best = (small.length > 0 ? small : all).sort((one, other) => bytesOf(other) - bytesOf(one))[0]
    if (best === undefined) continue
    const { topic, payload } = best
    const isText = forms[0]!.schema !== undefined
    examples[kind] = {
      topic,
      payload: isText ? payload.toString() : `${payload.byteLength} bytes`,
      ...(signed.length > 0 && {
        signed: Buffer.from(
          unverifiedPayload(
            payload,
            signed.map(({ contentType }) => contentType),
          ).payload,
        ).toString(),
      }),
    }
  }
  return examples
}

/** Kinds that a run of the demo has no reason to send: nothing is retired, and only its channel is told what to run. */
export const notInDemo: ReadonlySet<string> = new Set(['retired', 'device-desired'])

/** Whether there was every kind that a run of the demo has, a frame with a tracked object, and something that was counted. */
export function hasAllKinds(live: readonly HeardMessage[]): boolean {
  const kinds = new Set(live.map(({ topic }) => parseTopic(defaultRoot, topic)?.kind))
  const missing = messageKinds.filter(({ kind }) => !kinds.has(kind) && !notInDemo.has(kind))
  const has = (text: string): boolean => live.some(({ payload }) => payload.includes(text))
  return (
    missing.length === 0 && has('"track_id"') && has('"mean_dwell_ms"') && has('"forward":1') && has('"jpeg"')
  )
}
