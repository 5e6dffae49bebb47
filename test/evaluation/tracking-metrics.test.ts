import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  type TrackedFrame,
  trackingMetrics,
  type TrackingMetrics,
} from '../../src/evaluation/tracking-metrics.js'
import { projectRoot } from '../helpers/paths.js'

interface Fixture {
  readonly sequences: readonly {
    readonly frames: readonly { readonly truth: number[][]; readonly tracked: number[][] }[]
    readonly expected: TrackingMetrics
  }[]
}

const fixture = JSON.parse(
  readFileSync(join(projectRoot, 'test', 'fixtures', 'tracking', 'tracking.json'), 'utf8'),
) as Fixture

const boxOf = ([id, x1, y1, x2, y2]: readonly number[]): TrackedFrame['truth'][number] => ({
  ...{ id: id!, x1: x1!, y1: y1!, x2: x2!, y2: y2! },
})

t.test('the figures of sequences are those of TrackEval', (t) => {
  for (const [index, { frames, expected }] of fixture.sequences.entries()) {
    const found = trackingMetrics(
      frames.map(({ truth, tracked }) => ({ truth: truth.map(boxOf), tracked: tracked.map(boxOf) })),
    )
    for (const key of Object.keys(expected) as (keyof TrackingMetrics)[])
      t.ok(
        Math.abs(found[key] - expected[key]) < 1e-9,
        `sequence ${index}: ${key} is ${found[key]}, TrackEval says ${expected[key]}`,
      )
  }
  t.end()
})

t.test('a sequence without anything has figures', (t) => {
  const { hota, mota, idf1 } = trackingMetrics([{ truth: [], tracked: [] }])
  t.same([hota, mota, idf1], [0, 0, 0])
  t.end()
})
