/**
 * The seam between what makes pictures and what consumes them.
 * Invariant: a consumer sees only FrameSupply; a source sees only the ring it fills and the signal that stops it.
 */

import type { FrameLease } from './frame-lease.js'
import type { FrameRing } from './frame-ring.js'

export interface SupplyStats {
  /** Frames that came from the source. */
  readonly captured: number
  /** Of these, frames that gave way to a newer one. */
  readonly dropped: number
  /** How often the source was opened again after it broke or stalled. */
  readonly restarts: number
  /** Pictures that were left out because they could not be read. */
  readonly unreadable: number
}

export interface FrameSupply {
  /** For logs and topics; holds no credentials. */
  readonly label: string
  /**
   * The newest frame, or the next in order, as the supply's mode says; waits for it.
   * Undefined when the source has ended for good or `signal` aborts. Rejects with `camera.*` or `resource.tool_missing` when the
   * source failed for good.
   */
  next(signal: AbortSignal): Promise<FrameLease | undefined>
  stats(): SupplyStats
  /** Ends the source and everything it started; idempotent. Leases that are out stay valid until they are released. */
  stop(): Promise<void>
}

/** What a source tells while it runs. */
export interface SourceReport {
  /** One picture was left out. */
  unreadable(error: Error): void
  /** The size of the first picture after an opening, and each other one that follows, pixels. */
  readonly pictureSize: (width: number, height: number) => void
}

/** One kind of camera, file or stream. */
export interface FrameSource {
  /** For logs; holds no credentials. */
  readonly label: string
  /** Whether the source goes on for ever: its end is then a fault, to be cured by opening it again. */
  readonly isEndless: boolean
  /**
   * Opens the source and fills `ring` until it ends or `signal` aborts (then it resolves). Rejects with an AgentError.
   * Either way nothing that it started is left. May be called again after it settled.
   */
  run(ring: FrameRing, signal: AbortSignal, report: SourceReport): Promise<void>
}
