/**
 * Pictures of the cameras for somebody who looks, and only while somebody looks; one every few seconds where the settings ask for it.
 *
 *     command --lease--> tap --copy--> [one buffer] --sharp--> JPEG --> MQTT, QoS 0
 *
 * Invariant: a lease ends by itself; one picture of a camera is on its way at a time, and frames that come meanwhile are not
 * shown; detection waits for one copy of a frame at the most.
 */

import type { Clock } from '../../base/clock.js'
import { AgentError, messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { encodePreview as encodeJpeg, previewDefaults } from '../../camera/encode-preview.js'
import type { FrameLease, FrameTap } from '../../pipeline/ports.js'
import {
  encodePreview,
  parsePreviewRequest,
  previewLeaseMsMax,
  type PreviewRequest,
} from '../../protocol/preview.js'

interface PreviewPorts {
  /** Sends one picture of a camera. Never rejects; a picture that cannot be sent is lost. */
  send(camera: string, jpeg: Uint8Array): Promise<unknown>
  /** A picture is sent this often without anybody asking; none unless given. */
  readonly standingPeriodMs?: number
  readonly clock: Clock
  readonly logger: Logger
}

const fpsMaxDefault = 5

export class Previews {
  readonly #ports: PreviewPorts
  readonly #taps = new Map<string, PreviewTap>()

  constructor(ports: PreviewPorts) {
    this.#ports = ports
  }

  /** What looks at the frames of `camera`. */
  tapOf(camera: string): FrameTap {
    const tap = new PreviewTap(camera, this.#ports)
    this.#taps.set(camera, tap)
    return tap
  }

  /** Begins or ends sending, as the arguments of the command say. Throws `protocol.*` for wrong ones. */
  answer(args: Readonly<Record<string, unknown>> | undefined): unknown {
    const request = parsePreviewRequest(args)
    const names = request.cameras ?? [...this.#taps.keys()]
    const taps = names.map((name) => this.#tap(name))
    for (const tap of taps) tap.ask(request)
    return { cameras: names, for_ms: request.forMs }
  }

  #tap(name: string): PreviewTap {
    const tap = this.#taps.get(name)
    if (tap !== undefined) return tap
    const known = [...this.#taps.keys()].join(', ')
    const problem = `there is no camera ${name} in use: expected one of ${known === '' ? 'none' : known}`
    throw new AgentError('protocol.name_invalid', problem)
  }
}

class PreviewTap implements FrameTap {
  readonly #camera: string
  readonly #ports: PreviewPorts
  #untilMs = -Infinity
  #nextAtMs = 0
  #periodMs = 0
  #widthMax: number = previewDefaults.maxWidth
  #isSending = false
  #buffer = new SharedArrayBuffer(0)

  constructor(camera: string, ports: PreviewPorts) {
    this.#camera = camera
    this.#ports = ports
  }

  ask({ forMs, fpsMax = fpsMaxDefault, widthMax = previewDefaults.maxWidth }: PreviewRequest): void {
    this.#untilMs = this.#ports.clock.monotonicMs() + Math.min(forMs, previewLeaseMsMax)
    this.#periodMs = 1000 / fpsMax
    this.#nextAtMs = Math.min(this.#nextAtMs, this.#ports.clock.monotonicMs() + this.#periodMs)
    this.#widthMax = widthMax
  }

  look(frame: FrameLease): void {
    const nowMs = this.#ports.clock.monotonicMs()
    if (nowMs < this.#nextAtMs || this.#isSending) return
    const isAsked = nowMs < this.#untilMs
    const periodMs = isAsked ? this.#periodMs : this.#ports.standingPeriodMs
    if (periodMs === undefined) return
    // A frame that comes a little early is not put off to the next one.
    this.#nextAtMs = nowMs + 0.8 * periodMs
    if (this.#buffer.byteLength !== frame.byteLength) this.#buffer = new SharedArrayBuffer(frame.byteLength)
    const pixels = new Uint8Array(frame.pixels, frame.byteOffset, frame.byteLength)
    new Uint8Array(this.#buffer).set(pixels)
    void this.#send(frame)
  }

  async #send({ frameId, capturedAtMs, byteLength, letterbox }: FrameLease): Promise<void> {
    const { sourceWidth: width, sourceHeight: height } = letterbox
    this.#isSending = true
    try {
      const frame = { pixels: this.#buffer, byteOffset: 0, byteLength, letterbox }
      const jpeg = await encodeJpeg(frame, { ...previewDefaults, maxWidth: this.#widthMax })
      await this.#ports.send(this.#camera, encodePreview(jpeg, { frameId, capturedAtMs, width, height }))
    } catch (thrown) {
      this.#ports.logger.warn({ camera: this.#camera, reason: messageOf(thrown) }, 'preview failed')
    } finally {
      this.#isSending = false
    }
  }
}
