import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { quantileOf } from '../../../src/base/numeric.js'
import { systemClock } from '../../../src/base/clock.js'
import { measureAccuracy, tellCutScores } from '../../../src/cli/measure/measure-accuracy.js'
import { measureSpeed } from '../../../src/cli/measure/measure-speed.js'
import { pictureFrames } from '../../../src/cli/measure/speed-frames.js'
import { plainFrame, tinyDetector } from '../../helpers/tiny-detector.js'

t.test('a model that finds the object everywhere has mAP 1; one that looks elsewhere 0', async (t) => {
  const path = join(t.testdir(), 'white.png')
  await sharp({ create: { width: 32, height: 32, channels: 3, background: 'white' } }).toFile(path)
  // The tiny detector sees one box of 8 x 8 in the middle, with the brightness as its score.
  const image = (x1: number) => ({
    name: 'white.png',
    path,
    groundTruths: [{ classIndex: 0, x1, y1: 12, x2: x1 + 8, y2: 20, area: 64, crowd: false }],
  })
  const seen: number[] = []
  for (const [x1, map] of [
    [12, 1],
    [0, 0],
  ] as const) {
    const dataset = { name: 'white', images: [image(x1)], unknownCategories: [], leftOut: [] }
    const accuracy = await measureAccuracy(tinyDetector(), dataset, {}, (done) => seen.push(done))
    const { metrics, matches, leastScore } = accuracy
    t.ok(leastScore !== undefined && leastScore > 0.9, `the score of the one box: ${leastScore}`)
    t.equal(Math.round(metrics.map * 1000) / 1000, map)
    t.equal(matches.length, 1)
  }
  t.same(seen, [1, 1])
})

t.test('a model with its suppression inside that cuts low scores is told', (t) => {
  const said: string[] = []
  const { description } = tinyDetector()
  const final = { ...description, output: { kind: 'boxes', name: 'final' } } as const
  const accuracy = { metrics: {} as never, matches: [], unreadable: [] }
  const note = (text: string): void => void said.push(text)
  for (const leastScore of [0.003, undefined])
    tellCutScores('a.onnx', final, { ...accuracy, leastScore }, note)
  tellCutScores('a.onnx', description, { ...accuracy, leastScore: 0.25 }, note)
  t.same(said, [], 'low scores come, there are no boxes, or suppression is outside')
  tellCutScores('a.onnx', final, { ...accuracy, leastScore: 0.2501 }, note)
  t.match(said, [/a\.onnx gives no box with a score below 0\.25: .*nms=None/])
  t.end()
})

t.test('models take turns, and a ratio is of one round', async (t) => {
  const rounds: number[] = []
  const measured = await measureSpeed([tinyDetector(), tinyDetector({ size: 64 })], {
    rounds: 3,
    sessions: 2,
    framesPerTurn: 2,
    session: { intraOpThreads: 1 },
    framesOf: ({ description }) => Promise.resolve([plainFrame(description.inputWidth, 255)]),
    onProgress: (done) => rounds.push(done),
    clock: systemClock,
  })
  t.same(rounds, [1, 2, 3])
  for (const { perFrameMs, latencyMs, ratios } of measured) {
    t.equal(perFrameMs.length, 3)
    t.equal(latencyMs.length, 3 * 2 * 2)
    t.equal(ratios.length, 3)
  }
  t.same(measured[0]!.ratios, [1, 1, 1])
  t.equal(measured[1]!.ratios[2], measured[0]!.perFrameMs[2]! / measured[1]!.perFrameMs[2]!)
})

t.test('frames that cannot be read leave no session open', async (t) => {
  const measured = measureSpeed([tinyDetector(), tinyDetector()], {
    rounds: 3,
    sessions: 1,
    framesPerTurn: 1,
    session: { intraOpThreads: 1 },
    framesOf: pictureFrames([join(t.testdir(), 'absent.png')]),
    onProgress: () => undefined,
    clock: systemClock,
  })
  // A session that stays open would keep this test's process alive.
  await t.rejects(measured, { code: 'image.decode_failed', message: /absent\.png/ })
})

t.test('models see pictures in turns, the same in each round', async (t) => {
  const folder = t.testdir()
  const paths = ['white', 'black'].map((background) => join(folder, `${background}.png`))
  for (const path of paths) {
    const background = path.endsWith('white.png') ? 'white' : 'black'
    await sharp({ create: { width: 32, height: 32, channels: 3, background } }).toFile(path)
  }
  const frames = await pictureFrames(paths)(tinyDetector())
  t.same(
    frames.map(({ pixels }) => new Uint8Array(pixels)[0]),
    [255, 0],
  )
  t.equal((await pictureFrames(Array<string>(40).fill(paths[0]!))(tinyDetector())).length, 16)
  t.equal((await pictureFrames([])(tinyDetector())).length, 1, 'noise where there is none')
})

t.test('quantiles', (t) => {
  t.equal(quantileOf([3, 1, 2], 0.5), 2)
  t.equal(quantileOf([1, 2], 0.5), 1.5)
  t.equal(quantileOf([5], 0.95), 5)
  t.end()
})
