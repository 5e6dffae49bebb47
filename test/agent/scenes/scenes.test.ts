import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Scenes, type ScenesOptions } from '../../../src/agent/scenes/scenes.js'
import { silentLogger } from '../../../src/base/logger.js'
import { loadConfig } from '../../../src/config/load.js'
import type { FrameLease } from '../../../src/pipeline/ports.js'
import { type Counts, parseCounts } from '../../../src/protocol/counts.js'
import { DoubleRecord } from '../../../src/store/double-record.js'
import { nodeFileSystem } from '../../../src/store/fs.js'
import type { Detection } from '../../../src/yolo/detection.js'
import { TestClock } from '../../helpers/test-clock.js'

const leftHalf = [
  [0, 0],
  [0.5, 0],
  [0.5, 1],
  [0, 1],
]
const zones = [{ name: 'dock', polygon: leftHalf }]
const lines = [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }]

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

interface Lab {
  readonly clock: TickClock
  readonly said: Counts[]
  readonly figures: string[]
  readonly scenes: Scenes
  /** Shows object 1 with its foot at (x, 50) of a picture of 100 x 100. */
  readonly show: (x: number) => void
}

async function open(folder: string, camera: object, warn?: (fields: object) => void): Promise<Lab> {
  const clock = new TickClock()
  const said: Counts[] = []
  const figures: string[] = []
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
    clock,
    logger: warn === undefined ? silentLogger : { ...silentLogger, warn },
  }
  const scenes = await Scenes.open(options)
  await scenes.start()
  const classNames = ['bolt']
  const show = (x: number): void => {
    clock.advance(100)
    const found: Detection = { classIndex: 0, score: 0.9, x1: x - 5, x2: x + 5, y1: 40, y2: 50 }
    scenes.watchOf('belt')!.found({} as FrameLease, {
      camera: 'belt',
      frameId: 1,
      capturedAtMs: clock.wallMs(),
      ...{ sourceWidth: 100, sourceHeight: 100, classNames },
      identity: { model: 'm', version: '1.0.0', variant: 'v' },
      ...{ detections: [found], trackIds: [1] },
      timings: { waitMs: 0, preprocessMs: 0, inferenceMs: 0, decodeMs: 0, totalMs: 0 },
    })
  }
  return { clock, said, figures, scenes, show }
}

const folderOf = (t: Test): string => t.testdir({})

t.test('counts are said at the start and when they change, once in a second at the most', async (t) => {
  const { clock, said, figures, show } = await open(folderOf(t), { zones, lines })
  t.match(said, [{ zones: [{ name: 'dock', objects: 0, entered: 0 }], lines: [{ forward: 0, backward: 0 }] }])
  clock.tick(1000)
  t.equal(said.length, 1, 'nothing has changed')
  show(20)
  clock.tick(0)
  t.equal(said.length, 2)
  t.match(said[1], {
    zones: [{ objects: 1, entered: 1, left: 0, classes: [{ class: 'bolt', objects: 1, entered: 1 }] }],
  })
  t.equal(said[1]!.zones[0]!.occupiedSince, new Date(clock.wallMs()).toISOString())
  show(70)
  clock.tick(0)
  t.equal(said.length, 2, 'too soon')
  clock.tick(1000)
  t.match(said[2], {
    zones: [{ objects: 0, entered: 1, left: 1, meanDwellMs: 100 }],
    lines: [{ forward: 1, backward: 0, classes: [{ class: 'bolt', forward: 1, backward: 0 }] }],
  })
  t.notOk('occupiedSince' in said[2]!.zones[0]!)
  t.same(figures, ['entered belt dock bolt', 'crossed belt gate bolt true', 'left belt dock bolt 100'])
})

t.test('sums survive a restart, and a damaged record is said and begun anew', async (t) => {
  const folder = folderOf(t)
  const first = await open(folder, { zones, lines })
  first.show(20)
  first.show(70)
  await first.scenes.stop()
  const second = await open(folder, { zones: [...zones, { ...zones[0], name: 'new' }], lines })
  t.match(second.said[0], {
    zones: [
      { entered: 1, left: 1 },
      { name: 'new', entered: 0 },
    ],
    lines: [{ forward: 1 }],
  })
  second.show(20)
  await second.scenes.stop()
  const renamed = await open(folder, { zones: [{ ...zones[0], name: 'other' }] })
  t.match(renamed.said[0], { zones: [{ name: 'other', entered: 0 }] })
  const { writeFile } = await import('node:fs/promises')
  await writeFile(join(folder, 'counts.a'), 'rubbish')
  await writeFile(join(folder, 'counts.b'), 'rubbish')
  const warnings: object[] = []
  const damaged = await open(folder, { zones }, (fields) => warnings.push(fields))
  t.match(damaged.said[0], { zones: [{ entered: 0 }] })
  t.equal(warnings.length, 1)
})

t.test('a day that ends is said, and a camera without frames shows nobody', async (t) => {
  const { clock, said, show } = await open(folderOf(t), { zones })
  show(20)
  clock.tick(1000)
  const [day] = said.map((counts) => counts.day)
  clock.tick(24 * 3_600_000)
  const last = said.at(-1)!
  t.not(last.day, day)
  t.match(last, { zones: [{ objects: 0, entered: 0, left: 1 }] })
})

t.test('a class that the model does not have is said once', async (t) => {
  const warnings: object[] = []
  const camera = { zones: [{ ...zones[0], classes: ['blot'] }], filters: [{ class: 'nut', min_score: 0.5 }] }
  const { show } = await open(folderOf(t), camera, (fields) => warnings.push(fields))
  show(20)
  show(20)
  t.match(warnings, [
    { camera: 'belt', place: 'dock', class: 'blot', known: ['bolt'] },
    { place: 'filters', class: 'nut' },
  ])
})

t.test('a camera without zones is not looked at, and without masks not filtered', async (t) => {
  const { scenes, said } = await open(folderOf(t), { masks: [leftHalf] })
  t.same([scenes.cameras, scenes.watchOf('belt'), said], [[], undefined, []])
  t.ok(scenes.filterOf('belt'))
  await scenes.stop()
  const plain = await open(folderOf(t), {})
  t.equal(plain.scenes.filterOf('belt'), undefined)
})
