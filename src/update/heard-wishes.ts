/**
 * What a device has heard on its topics: the wishes that count, and those that it did not take.
 * Invariant: nothing that arrives throws; the device's own wish is kept until a signed release, whatever the broker holds.
 */

import type { Clock } from '../base/clock.js'
import { AgentError, wrapError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { DesiredTarget } from '../protocol/desired.js'
import type { TrustPolicy } from '../protocol/envelope.js'
import type { JournalEntry } from './journal-entry.js'
import { RefusedWishes } from './refused-wishes.js'
import { type Taken, WishBook } from './wishes.js'

export interface HeardWishesPorts {
  /** Whom to believe, read anew for each envelope. Throws `trust.key_unreadable`. */
  trust(): Promise<TrustPolicy>
  readonly clock: Clock
  readonly logger: Logger
}

export class HeardWishes {
  readonly book: WishBook
  readonly refused = new RefusedWishes()
  readonly #ports: HeardWishesPorts
  readonly #self: DesiredTarget
  /** The envelope of the wish for this device alone, for the journal. */
  #ownWish: string | undefined
  /** The same from the journal, until it is taken up. */
  #kept: string | undefined

  constructor(ports: HeardWishesPorts, device: string, entry: JournalEntry | undefined) {
    this.#ports = ports
    this.#self = { kind: 'device', name: device }
    this.book = new WishBook(device, entry?.seenWishes ?? {})
    this.#ownWish = entry?.ownWish
    this.#kept = entry?.ownWish
  }

  /** What the journal keeps of it. */
  get kept(): Pick<JournalEntry, 'seenWishes' | 'ownWish'> {
    const ownWish = this.#ownWish
    return { seenWishes: this.book.seen, ...(ownWish !== undefined && { ownWish }) }
  }

  /** Takes up the device's own wish that the journal holds, as soon as the keys can be read. */
  async restore(): Promise<void> {
    const envelope = this.#kept
    if (envelope === undefined) return
    const { clock, logger } = this.#ports
    try {
      const trust = await this.#ports.trust()
      this.book.take(this.#self, new TextEncoder().encode(envelope), { trust, nowMs: clock.wallMs() })
      this.#kept = undefined
    } catch (thrown) {
      const { code, message } = wrapError(thrown, 'protocol.payload_malformed', 'cannot accept the wish')
      logger.warn({ target: this.#self, code, reason: message }, 'the wish that was kept does not count')
      if (code === 'trust.sequence_stale') this.#kept = undefined
    }
  }

  /** Takes what arrived for `target`; undefined stands for an empty message. A refusal is logged, kept and counted. */
  async take(target: DesiredTarget, envelope: Uint8Array | undefined): Promise<Taken> {
    await this.restore()
    const nowMs = this.#ports.clock.wallMs()
    try {
      const trust = await this.#ports.trust()
      const taken =
        envelope === undefined
          ? this.#takeEmpty(target, trust)
          : this.book.take(target, envelope, { trust, nowMs })
      if (target.kind === 'device') this.#keep(taken === 'release' ? undefined : envelope)
      this.refused.clear(target)
      this.#ports.logger.debug({ target, taken, sequence: this.book.newestSequence(target) }, 'wish heard')
      return taken
    } catch (thrown) {
      const error = wrapError(thrown, 'protocol.payload_malformed', 'cannot accept the wish')
      this.#ports.logger.warn({ target, code: error.code, reason: error.message }, 'wish refused')
      const newestSequence = this.book.newestSequence(target)
      this.refused.add(target, envelope, error, { nowMs, newestSequence })
      return 'nothing'
    }
  }

  #keep(envelope: Uint8Array | undefined): void {
    this.#ownWish = envelope === undefined ? undefined : new TextDecoder().decode(envelope)
  }

  /** An empty message: whoever may write the topic can send one, so it takes a wish back only where nothing is signed. */
  #takeEmpty(target: DesiredTarget, { allowUnsigned }: TrustPolicy): Taken {
    if (allowUnsigned === true) {
      this.book.withdraw(target)
      return 'release'
    }
    const problem = `cannot take back the wish for ${target.kind} ${target.name}: the message is empty, expected a signed release`
    throw new AgentError('trust.unsigned_refused', problem)
  }
}
