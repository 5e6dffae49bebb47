/**
 * Tells what objects do in the zones and over the lines of one camera.
 * Invariant: each stay that was told has exactly one beginning and one end; of more than `rateMax` stays and crossings a minute the
 * further ones are not told at all, and it is said how many.
 */

import { randomUUID } from 'node:crypto'
import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import type { FrameLease } from '../../pipeline/ports.js'
import { countedNameLengthMax } from '../../protocol/counts.js'
import { limits } from '../../protocol/limits.js'
import type { SceneEvent } from '../../protocol/scene-event.js'
import type { SceneTrack, ZoneWatch } from '../../zones/zone-watch.js'
import { EventPictures, type Picture, type Share, type Sitter } from './event-pictures.js'

export interface SceneEventOptions {
  readonly camera: string
  /** Between two updates of one stay; 0: none. */
  readonly updateMs: number
  readonly rateMax: number
  readonly pictures: { readonly widthMax: number; readonly drawsBox: boolean } | undefined
  /** Sends or keeps an event. Never rejects. */
  send(event: SceneEvent): Promise<void>
  readonly clock: Clock
  readonly logger: Logger
}

/** An object that is in a zone. */
interface Stay extends Sitter {
  readonly id: string
  readonly zone: string
  readonly zoneIndex: number
  readonly slot: number
  readonly sinceMs: number
  bestScore: number
  saidAtMs: number
}

const minuteMs = 60_000
/** Base64 is four thirds as long, and the rest of the message needs some space. */
const jpegBytesMax = (limits.eventBytes - 4096) * 0.75

export class SceneEvents {
  readonly #options: SceneEventOptions
  readonly #watch: ZoneWatch
  readonly #pictures: EventPictures | undefined
  readonly #stays: Stay[] = []
  readonly #sending = new Set<Promise<void>>()
  #model = { model: '', version: '' }
  #minuteSinceMs = -Infinity
  #told = 0
  #untold = 0

  constructor(options: SceneEventOptions, watch: ZoneWatch) {
    const { camera, pictures, clock, logger } = options
    this.#options = options
    this.#watch = watch
    this.#pictures =
      pictures === undefined ? undefined : new EventPictures({ camera, ...pictures, clock, logger })
  }

  /** Which model sees what happens from now on. */
  seenBy(model: string, version: string): void {
    if (model !== this.#model.model || version !== this.#model.version) this.#model = { model, version }
  }

  entered(zoneIndex: number, zone: string, slot: number, dwellMs: number): void {
    if (!this.#mayTell()) return
    const nowMs = this.#options.clock.wallMs()
    const { score } = this.#watch.trackIn(slot)
    const stay: Stay = {
      ...{ id: randomUUID(), zone, zoneIndex, slot, sinceMs: nowMs - dwellMs },
      ...{ bestScore: score, saidAtMs: this.#options.clock.monotonicMs(), quality: 0, picture: undefined },
    }
    this.#stays.push(stay)
    this.#send(this.#eventOf('new', stay, dwellMs))
  }

  left(zoneIndex: number, slot: number, dwellMs: number): void {
    const index = this.#stays.findIndex((stay) => stay.slot === slot && stay.zoneIndex === zoneIndex)
    if (index < 0) return
    const stay = this.#stays[index]!
    this.#stays.splice(index, 1)
    const event = this.#eventOf('end', stay, dwellMs)
    if (stay.picture === undefined) this.#send(event)
    else this.#track(this.#end(event, stay.picture))
  }

  crossed(line: string, slot: number, isForward: boolean): void {
    if (!this.#mayTell()) return
    const track = this.#watch.trackIn(slot)
    const direction = isForward ? 'forward' : 'backward'
    this.#send({
      ...{ at: this.#now(), id: randomUUID(), kind: 'crossing', camera: this.#options.camera },
      ...{ line, direction, ...factsOf(track), bestScore: track.score },
      ...this.#model,
    })
  }

  /** Looks at the objects that stay, after what has happened in `frame` was told. */
  look(frame: FrameLease): void {
    if (this.#stays.length === 0) return
    const nowMs = this.#options.clock.monotonicMs()
    let isWanted = false
    for (const stay of this.#stays) {
      const score = this.#watch.scoreIn(stay.slot)
      if (score === undefined) continue
      if (score > stay.bestScore) stay.bestScore = score
      if (this.#options.updateMs > 0 && nowMs - stay.saidAtMs >= this.#options.updateMs)
        this.#update(stay, nowMs)
      isWanted ||= this.#pictures?.wants(stay.quality, score) ?? false
    }
    if (isWanted) this.#takePicture(frame)
  }

  /** Waits until everything is sent or kept. */
  async settle(): Promise<void> {
    await Promise.all(this.#sending)
  }

  #update(stay: Stay, nowMs: number): void {
    stay.saidAtMs = nowMs
    this.#send(this.#eventOf('update', stay, this.#options.clock.wallMs() - stay.sinceMs))
  }

  /** One picture for all stays that get a better one by it. */
  #takePicture(frame: FrameLease): void {
    const pictures = this.#pictures!
    const better: (readonly [Stay, Share, number])[] = []
    for (const stay of this.#stays) {
      const score = this.#watch.scoreIn(stay.slot)
      if (score === undefined) continue
      const share = this.#watch.trackIn(stay.slot).box
      const quality = EventPictures.qualityOf(score, share)
      if (pictures.wants(stay.quality, quality)) better.push([stay, share, quality])
    }
    if (better.length === 0) return
    const made = pictures.take(frame)
    for (const [stay, share, quality] of better) {
      stay.quality = quality
      stay.picture = { made, share }
    }
  }

  #eventOf(kind: 'new' | 'update' | 'end', stay: Stay, dwellMs: number): SceneEvent {
    return {
      ...{ at: this.#now(), id: stay.id, kind, camera: this.#options.camera, zone: stay.zone },
      ...factsOf(this.#watch.trackIn(stay.slot)),
      bestScore: toThousandths(stay.bestScore),
      since: new Date(stay.sinceMs).toISOString(),
      dwellMs: Math.max(0, Math.round(dwellMs)),
      ...this.#model,
    }
  }

  async #end(event: SceneEvent, { made, share }: NonNullable<Stay['picture']>): Promise<void> {
    const picture = await made
    await this.#options.send(picture === undefined ? event : await this.#withPicture(event, picture, share))
  }

  /** `event` with its picture, unless that cannot be drawn or is too large for a message. */
  async #withPicture(event: SceneEvent, made: Picture, share: Share): Promise<SceneEvent> {
    try {
      const { jpeg, atMs } = await this.#pictures!.finish(made, share, event.class)
      const isSmall = jpeg.byteLength <= jpegBytesMax
      if (!isSmall) {
        const { camera, logger } = this.#options
        logger.warn(
          { camera, bytes: jpeg.byteLength, expected: jpegBytesMax },
          'a picture is too large for an event',
        )
        return event
      }
      const text = Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength).toString('base64')
      const at = new Date(atMs).toISOString()
      return { ...event, picture: { jpeg: text, at, share: sharesOf(share) } }
    } catch (thrown) {
      const { camera, logger } = this.#options
      logger.warn({ camera, reason: messageOf(thrown) }, 'a picture of an event could not be drawn')
      return event
    }
  }

  #mayTell(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#minuteSinceMs >= minuteMs) {
      const { camera, rateMax, logger } = this.#options
      if (this.#untold > 0)
        logger.warn(
          { camera, untold: this.#untold, rateMax },
          'more happened in a minute than events may tell',
        )
      this.#minuteSinceMs = nowMs
      this.#told = 0
      this.#untold = 0
    }
    if (this.#told >= this.#options.rateMax) {
      this.#untold++
      return false
    }
    this.#told++
    return true
  }

  #send(event: SceneEvent): void {
    this.#track(this.#options.send(event))
  }

  #track(sending: Promise<void>): void {
    this.#sending.add(sending)
    void sending.finally(() => this.#sending.delete(sending))
  }

  #now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString()
  }
}

const toThousandths = (value: number): number => Math.round(value * 1000) / 1000

const toShare = (value: number): number => Math.round(value * 10_000) / 10_000

const sharesOf = ([left, top, right, bottom]: Share): Share => [
  toShare(left),
  toShare(top),
  toShare(right),
  toShare(bottom),
]

function factsOf({
  id,
  className,
  score,
  box,
}: SceneTrack): Pick<SceneEvent, 'class' | 'trackId' | 'score' | 'share'> {
  const name = className.replaceAll(/[\u0000-\u001f\u007f]/g, ' ').slice(0, countedNameLengthMax)
  return { class: name, trackId: id, score: toThousandths(score), share: sharesOf(box) }
}
