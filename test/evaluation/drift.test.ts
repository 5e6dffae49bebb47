import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import {
  addFrame,
  compareProfiles,
  emptyProfile,
  type DetectionProfile,
  type Drift,
} from '../../src/evaluation/drift.js'

const frame = { width: 640, height: 480 }

/** A hundred frames of five detections around a mean score, a side length and a class. */
function watched(seed: number, scene: { score: number; side: number; classIndex: number }): DetectionProfile {
  const random = seededRandom(seed)
  const profile = emptyProfile(3)
  for (let index = 0; index < 100; index++) {
    const detections = Array.from({ length: 5 }, () => {
      const side = scene.side * (0.8 + 0.4 * random.next())
      return {
        classIndex: random.next() < 0.9 ? scene.classIndex : 2,
        score: Math.min(1, Math.max(0.25, scene.score + 0.1 * random.normal())),
        ...{ x1: 10, y1: 10, x2: 10 + side, y2: 10 + side },
      }
    })
    addFrame(profile, detections, frame)
  }
  return profile
}

function driftOf(baseline: DetectionProfile, current: DetectionProfile): Drift {
  const result = compareProfiles(baseline, current)
  if (result.kind !== 'measured') throw new RangeError('too few')
  return result.drift
}

const scene = { score: 0.7, side: 100, classIndex: 0 }
const baseline = watched(1, scene)

t.test('the same scene on another day is below what is called a change, itself is 0', (t) => {
  const none = { classPsi: 0, scorePsi: 0, sizePsi: 0, detectionsPerFrame: 5, rateRatio: 1 }
  t.same(driftOf(baseline, baseline), none)
  const drift = driftOf(baseline, watched(2, scene))
  t.ok(Math.max(drift.classPsi, drift.scorePsi, drift.sizePsi) < 0.1, JSON.stringify(drift))
  t.end()
})

t.test('each kind of change shows in its own figure', (t) => {
  const changes = [
    [{ score: 0.4 }, 'scorePsi'],
    [{ side: 25 }, 'sizePsi'],
    [{ classIndex: 1 }, 'classPsi'],
  ] as const
  for (const [change, shifted] of changes) {
    const drift = driftOf(baseline, watched(3, { ...scene, ...change }))
    for (const figure of ['scorePsi', 'sizePsi', 'classPsi'] as const) {
      if (figure === shifted) t.ok(drift[figure] > 1, `${figure} of a shift: ${drift[figure]}`)
      else t.ok(drift[figure] < 0.1, `${figure} without a shift: ${drift[figure]}`)
    }
  }
  t.end()
})

t.test('is the index worked out by hand', (t) => {
  const [a, b] = [emptyProfile(2), emptyProfile(2)]
  const detection = { score: 0.5, x1: 0, y1: 0, x2: 9, y2: 9 }
  for (let index = 0; index < 1000; index++) {
    addFrame(a, [{ ...detection, classIndex: index % 2 }], frame)
    addFrame(b, [{ ...detection, classIndex: index % 4 === 0 ? 1 : 0 }], frame)
  }
  const [then, now] = [500.5 / 1001, [750.5 / 1001, 250.5 / 1001]] as const
  const expected = now.reduce((sum, share) => sum + (share - then) * Math.log(share / then), 0)
  t.ok(Math.abs(driftOf(a, b).classPsi - expected) < 1e-12)
  t.end()
})

t.test('fewer detections per frame lower the ratio', (t) => {
  const sparse = watched(1, scene)
  for (let index = 0; index < 100; index++) addFrame(sparse, [], frame)
  t.match(driftOf(baseline, sparse), { detectionsPerFrame: 2.5, rateRatio: 0.5 })
  t.end()
})

t.test('too few detections are not compared', (t) => {
  const few = emptyProfile(3)
  addFrame(few, [{ classIndex: 0, score: 1, x1: 0, y1: 0, x2: 0, y2: 0 }], frame)
  t.same(compareProfiles(baseline, few), { kind: 'too-few', detections: 1, least: 500 })
  t.equal(compareProfiles(emptyProfile(3), emptyProfile(3), 0).kind, 'too-few')
  t.end()
})
