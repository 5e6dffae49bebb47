/**
 * The zones and lines of all cameras: their counts are said when they change, and kept on disk.
 * Invariant: a camera says its counts at most once in a period, the last change always; a stop that is in order loses no count,
 * a power cut at most those of the last half minute.
 */

import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Service } from '../../base/lifecycle.js'
import type { Logger } from '../../base/logger.js'
import type { CameraConfig } from '../../config/config.js'
import type { FrameWatch } from '../../pipeline/ports.js'
import { type Counts, encodeCounts } from '../../protocol/counts.js'
import type { DoubleRecord } from '../../store/double-record.js'
import { DetectionFilter } from '../../zones/detection-filter.js'
import type { ScenePlan } from '../../zones/scene-plan.js'
import { CameraScene, type CameraSceneOptions, type SceneFigures } from './camera-scene.js'

export interface ScenesOptions {
  readonly cameras: readonly CameraConfig[]
  /** How long an object that is not seen counts as still there. */
  readonly bufferMs: number
  readonly record: DoubleRecord
  /** Makes `payload` (taken) the retained counts of a camera. */
  say(camera: string, payload: Uint8Array): void
  readonly figures: SceneFigures | undefined
  readonly events: CameraSceneOptions['events']
  readonly clock: Clock
  readonly logger: Logger
}

/** Of two messages of a camera, how far apart. */
const periodMs = 1000
/** How often it is looked whether something is left to say. */
const tickMs = 250
const saveEveryMs = 30_000

interface Counted {
  readonly camera: string
  readonly scene: CameraScene
  saidRevision: number
  saidAtMs: number
}

export class Scenes implements Service {
  readonly name = 'zones'
  readonly #options: ScenesOptions
  readonly #filters: ReadonlyMap<string, DetectionFilter>
  readonly #counted = new Map<string, Counted>()
  #savedRevision = 0
  #savedAtMs = 0
  #saving: Promise<void> | undefined
  #endTicks = (): void => undefined

  private constructor(options: ScenesOptions, saved: ReadonlyMap<string, unknown>) {
    this.#options = options
    const { bufferMs, figures, events, clock, logger } = options
    this.#filters = new Map(
      plansOf(options.cameras)
        .filter(([, { masks, filters }]) => masks.length + filters.length > 0)
        .map(([camera, plan]) => [camera, new DetectionFilter(plan)]),
    )
    for (const [camera, plan] of plansOf(options.cameras)) {
      if (plan.zones.length + plan.lines.length === 0) continue
      const common = { camera, plan, bufferMs, figures, events, clock, logger }
      const scene = new CameraScene({ ...common, saved: saved.get(camera) })
      this.#counted.set(camera, { camera, scene, saidRevision: -1, saidAtMs: -Infinity })
    }
  }

  /** Opens what the settings of the cameras ask for, with the sums of earlier runs. Never rejects for a record that is damaged. */
  static async open(options: ScenesOptions): Promise<Scenes> {
    const isCounting = plansOf(options.cameras).some(
      ([, { zones, lines }]) => zones.length + lines.length > 0,
    )
    return new Scenes(options, isCounting ? await readRecord(options) : new Map())
  }

  /** Cameras whose zones or lines are counted. */
  get cameras(): readonly string[] {
    return [...this.#counted.keys()]
  }

  watchOf(camera: string): FrameWatch | undefined {
    return this.#counted.get(camera)?.scene
  }

  filterOf(camera: string): DetectionFilter | undefined {
    return this.#filters.get(camera)
  }

  start(): Promise<void> {
    if (this.#counted.size === 0) return Promise.resolve()
    this.#savedAtMs = this.#options.clock.monotonicMs()
    this.#tick()
    this.#endTicks = this.#options.clock.every(tickMs, () => {
      this.#tick()
    })
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#endTicks()
    if (this.#counted.size === 0) return
    for (const counted of this.#counted.values()) {
      await counted.scene.end()
      this.#say(counted, this.#options.clock.monotonicMs())
    }
    await this.#saving
    await this.#save()
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const counted of this.#counted.values()) {
      const isNewDay = counted.scene.keepTime()
      const isChanged = counted.saidRevision !== counted.scene.revision
      if (isNewDay || (isChanged && nowMs - counted.saidAtMs >= periodMs)) this.#say(counted, nowMs)
    }
    if (nowMs - this.#savedAtMs < saveEveryMs || this.#saving !== undefined) return
    this.#savedAtMs = nowMs
    if (this.#revision === this.#savedRevision) return
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined
    })
  }

  get #revision(): number {
    let sum = 0
    for (const { scene } of this.#counted.values()) sum += scene.revision
    return sum
  }

  #say(counted: Counted, nowMs: number): void {
    counted.saidAtMs = nowMs
    counted.saidRevision = counted.scene.revision
    const counts: Counts = counted.scene.counts()
    try {
      this.#options.say(counted.camera, encodeCounts(counts))
    } catch (thrown) {
      const { camera } = counted
      this.#options.logger.error({ camera, reason: messageOf(thrown) }, 'counts could not be written down')
    }
  }

  async #save(): Promise<void> {
    const revision = this.#revision
    try {
      await this.#options.record.write(
        [...this.#counted.values()].map(({ camera, scene }) => [camera, scene.saved()]),
      )
      this.#savedRevision = revision
    } catch (thrown) {
      this.#options.logger.warn({ reason: messageOf(thrown) }, 'counts could not be kept')
    }
  }
}

function plansOf(cameras: readonly CameraConfig[]): readonly (readonly [string, ScenePlan])[] {
  return cameras.flatMap(({ name, scene }) => (scene === undefined ? [] : [[name, scene] as const]))
}

/** What was saved, by camera. */
async function readRecord({ record, logger }: ScenesOptions): Promise<ReadonlyMap<string, unknown>> {
  try {
    const read = await record.read()
    if (read.state === 'corrupt')
      logger.warn({ reason: read.reason }, 'the counts of earlier runs cannot be read: counting begins anew')
    const pairs: unknown[] = read.state === 'valid' && Array.isArray(read.value) ? read.value : []
    return new Map(
      pairs.filter((pair): pair is [string, unknown] => Array.isArray(pair) && typeof pair[0] === 'string'),
    )
  } catch (thrown) {
    logger.warn({ reason: messageOf(thrown) }, 'the counts of earlier runs cannot be read')
    return new Map()
  }
}
