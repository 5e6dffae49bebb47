/** The zones of one camera with what they say, and one object in front of it, on a clock whose ticks come when a test says so. */

import { join } from 'node:path'
import type { CameraSceneOptions } from '../../src/agent/scenes/camera-scene.js'
import { Scenes, type ScenesOptions } from '../../src/agent/scenes/scenes.js'
import { silentLogger } from '../../src/base/logger.js'
import { loadConfig } from '../../src/config/load.js'
import { type Counts, parseCounts } from '../../src/protocol/counts.js'
import { encodeSceneEvent, parseSceneEvent, type SceneEvent } from '../../src/protocol/scene-event.js'
import { DoubleRecord } from '../../src/store/double-record.js'
import { nodeFileSystem } from '../../src/store/fs.js'
import type { Detection } from '../../src/yolo/detection.js'
import { TestClock } from './test-clock.js'
import { plainFrame } from './tiny-detector.js'

/** A clock whose ticks come when the test says so. */
class TickClock extends TestClock {
  readonly #actions = new Set<() => void>()

  override every(_periodMs = 0, action?: () => void): () => void {
    if (action !== undefined) this.#actions.add(action)
    return () => undefined
  }

  tick(ms: number): void {
    this.advance(ms)
    for (const action of this.#actions) action()
  }
}

export interface SceneLab {
  readonly clock: TickClock
  readonly said: Counts[]
  readonly figures: string[]
  readonly scenes: Scenes
  readonly events: SceneEvent[]
  /** Shows object 1 with its foot at (x, 50) of a picture of 100 x 100, 100 ms after the last one. */
  readonly show: (x: number, score?: number) => void
}

export interface SceneLabOptions {
  readonly warn?: (fields: object) => void
  /** How events are told; none are unless given. */
  readonly events?: Omit<NonNullable<CameraSceneOptions['events']>, 'send'>
}

/** Opens the zones of the camera `belt`, whose further settings are `camera`, with what an earlier lab has left in `folder`. */
export async function openSceneLab(
  folder: string,
  camera: object,
  { warn, events: told }: SceneLabOptions = {},
): Promise<SceneLab> {
  const clock = new TickClock()
  const said: Counts[] = []
  const figures: string[] = []
  const events: SceneEvent[] = []
  const { cameras } = loadConfig({
    env: {},
    overrides: new Map([['cameras', [{ name: 'belt', source: 'synthetic', ...camera }]]]),
  })
  const options: ScenesOptions = {
    cameras,
    bufferMs: 1000,
    record: new DoubleRecord(nodeFileSystem, join(folder, 'counts'), { kind: 'counts', format: 1 }),
    say: (_camera, payload) => {
      said.push(parseCounts(payload))
    },
    figures: {
      entered: (...what) => void figures.push(`entered ${what.join(' ')}`),
      left: (...what) => void figures.push(`left ${what.join(' ')}`),
      crossed: (...what) => void figures.push(`crossed ${what.join(' ')}`),
      objects: () => undefined,
    },
    events:
      told === undefined
        ? undefined
        : {
            ...told,
            send: (event) => {
              events.push(parseSceneEvent(encodeSceneEvent(event)))
              return Promise.resolve()
            },
          },
    clock,
    logger: warn === undefined ? silentLogger : { ...silentLogger, warn },
  }
  const scenes = await Scenes.open(options)
  await scenes.start()
  const classNames = ['bolt']
  const pixels = plainFrame(100, 128)
  let frameId = 0
  const show = (x: number, score = 0.9): void => {
    clock.advance(100)
    const found: Detection = { classIndex: 0, score, x1: x - 5, x2: x + 5, y1: 40, y2: 50 }
    const shown = { frameId: ++frameId, capturedAtMs: clock.wallMs() }
    const lease = { ...pixels, ...shown, byteLength: pixels.pixels.byteLength, release: () => undefined }
    scenes.watchOf('belt')!.found(lease, {
      camera: 'belt',
      ...shown,
      ...{ sourceWidth: 100, sourceHeight: 100, classNames },
      identity: { model: 'm', version: '1.0.0', variant: 'v' },
      ...{ detections: [found], trackIds: [1] },
      timings: { waitMs: 0, preprocessMs: 0, inferenceMs: 0, decodeMs: 0, totalMs: 0 },
    })
  }
  return { clock, said, figures, events, scenes, show }
}
