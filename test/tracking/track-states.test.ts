import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { TrackStates } from '../../src/tracking/track-states.js'

type Matrix = number[][]

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)))
const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!))
const sum = (a: Matrix, b: Matrix, sign = 1): Matrix =>
  a.map((row, i) => row.map((value, j) => value + sign * b[i]![j]!))
const diagonal = (values: readonly number[]): Matrix =>
  values.map((value, i) => values.map((_, j) => (i === j ? value * value : 0)))

/** By Gauss and Jordan. */
function inverse(a: Matrix): Matrix {
  const size = a.length
  const wide = a.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))])
  for (let at = 0; at < size; at++) {
    const pivot = wide[at]![at]!
    wide[at] = wide[at]!.map((value) => value / pivot)
    for (let row = 0; row < size; row++) {
      if (row === at) continue
      const factor = wide[row]![at]!
      wide[row] = wide[row]!.map((value, j) => value - factor * wide[at]![j]!)
    }
  }
  return wide.map((row) => row.slice(size))
}

/** The filter with whole 8 x 8 matrices, as the textbook has it. */
class WholeFilter {
  mean: Matrix
  covariance: Matrix

  constructor([x, y, aspect, height]: readonly number[]) {
    const h = height!
    this.mean = [x!, y!, aspect!, h, 0, 0, 0, 0].map((value) => [value])
    this.covariance = diagonal([h / 10, h / 10, 0.05, h / 10, h / 16, h / 16, 0.01, h / 16])
  }

  predict(): void {
    const h = this.mean[3]![0]!
    const motion = diagonal(Array.from({ length: 8 }, () => 1)).map((row, i) =>
      row.map((value, j) => (j === i + 4 ? 1 : value)),
    )
    const noise = diagonal([h / 20, h / 20, 0.05, h / 20, h / 160, h / 160, 0.01, h / 160])
    this.mean = product(motion, this.mean)
    this.covariance = sum(product(product(motion, this.covariance), transposed(motion)), noise)
  }

  correct(measured: readonly number[]): void {
    const h = this.mean[3]![0]!
    const look = Array.from({ length: 4 }, (_, i) => Array.from({ length: 8 }, (__, j) => (i === j ? 1 : 0)))
    const noise = diagonal([h / 20, h / 20, 0.05, h / 20])
    const projected = sum(product(product(look, this.covariance), transposed(look)), noise)
    const gain = product(product(this.covariance, transposed(look)), inverse(projected))
    const error = sum(
      measured.map((value) => [value]),
      product(look, this.mean),
      -1,
    )
    this.mean = sum(this.mean, product(gain, error))
    this.covariance = sum(this.covariance, product(product(gain, projected), transposed(gain)), -1)
  }
}

t.test('four blocks of 2 x 2 are the filter of 8 x 8', (t) => {
  const random = seededRandom(3)
  const states = new TrackStates(2)
  const boxAt = (step: number): { x1: number; y1: number; x2: number; y2: number } => {
    const [x, y, width, height] = [
      100 + 7 * step,
      80 - 2 * step,
      60 + random.next() * 4,
      90 + random.next() * 4,
    ]
    return { x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2 }
  }
  const measuredOf = ({ x1, y1, x2, y2 }: ReturnType<typeof boxAt>): number[] => [
    (x1 + x2) / 2,
    (y1 + y2) / 2,
    (x2 - x1) / (y2 - y1),
    y2 - y1,
  ]
  const detection = { classIndex: 0, score: 1 }
  const first = boxAt(0)
  const whole = new WholeFilter(measuredOf(first))
  states.begin(1, { ...detection, ...first }, 0, 0)
  for (let step = 1; step < 20; step++) {
    whole.predict()
    states.predict(1, 1, false)
    if (step % 4 !== 0) {
      const box = boxAt(step)
      whole.correct(measuredOf(box))
      states.correct(1, { ...detection, ...box })
    }
    const [x1, y1, x2, y2] = states.boxes.subarray(4, 8)
    const found = [
      ...measuredOf({ x1: x1!, y1: y1!, x2: x2!, y2: y2! }),
      states.velocities[4]!,
      states.velocities[5]!,
    ]
    const expected = whole.mean.slice(0, 6).map(([value]) => value!)
    for (const [index, value] of found.entries())
      if (Math.abs(value - expected[index]!) > 1e-6)
        t.fail(`step ${step}: ${found.join()} is not ${expected.join()}`)
  }
  t.pass('19 steps')
  t.end()
})

t.test('a picture of another size scales what is known', (t) => {
  const states = new TrackStates(1)
  states.begin(0, { classIndex: 0, score: 1, x1: 10, y1: 20, x2: 30, y2: 60 }, 3, 4)
  states.rescale(0, 2, 0.5)
  t.same([...states.boxes], [20, 10, 60, 30])
  t.same([...states.velocities.subarray(0, 2)], [6, 2])
  t.end()
})
