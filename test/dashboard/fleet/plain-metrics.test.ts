import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { LiveFigures } from '../../../src/dashboard/fleet/live-figures.js'
import { readPlainMetrics } from '../../../src/dashboard/fleet/plain-metrics.js'
import { limits } from '../../../src/protocol/limits.js'
import { encodeMetrics, type Metrics, parseMetrics } from '../../../src/protocol/metrics.js'
import { exampleMetrics, metricsWithout } from '../../helpers/example-messages.js'
import { mutate } from '../../helpers/mutate.js'

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

function plainly(payload: Uint8Array): LiveFigures | undefined {
  const live = new LiveFigures()
  return readPlainMetrics(payload, live, 7) ? live : undefined
}

/** As the protocol reads it; undefined for what it refuses. */
function properly(payload: Uint8Array): LiveFigures | undefined {
  let metrics: Metrics
  try {
    metrics = parseMetrics(payload)
  } catch {
    return undefined
  }
  const live = new LiveFigures()
  live.update(metrics, 7)
  return live
}

t.test('what agents write is read, to the figures of the protocol', (t) => {
  const some = metricsWithout('cpuPercent', 'memoryUsedBytes', 'eventLoopDelay')
  const others = metricsWithout('diskFreeBytes', 'temperatureC', 'throttled', 'memoryTotalBytes')
  for (const metrics of [exampleMetrics, some, { ...others, cameras: [] }]) {
    const live = plainly(encodeMetrics(metrics))
    t.ok(live)
    t.same(live, properly(encodeMetrics(metrics)))
  }
  t.match(plainly(encodeMetrics(exampleMetrics)), {
    atMs: 7,
    ...{ windowMs: 10_000, uptimeMs: 60_000, agentMemoryBytes: 1e8, diskFreeBytes: 4e8 },
    ...{ temperatureC: 61.5, throttled: 1, fps: 25.5, cameras: 'front/rear' },
    ...{ p50Ms: 20, p95Ms: 33, endToEndP95Ms: 55 },
  })
  t.end()
})

t.test('damaged metrics are read to the figures of the protocol, or not at all', (t) => {
  const payload = encodeMetrics(exampleMetrics)
  let read = 0
  for (let seed = 0; seed < 20_000; seed++) {
    const damaged = mutate(payload, seededRandom(seed))
    const live = plainly(damaged)
    if (live === undefined) continue
    read++
    const expected = properly(damaged)
    if (JSON.stringify(live) !== JSON.stringify(expected)) t.same(live, expected, `seed ${seed}`)
  }
  t.ok(read > 100, `${read} of them still had their form`)
  t.end()
})

/** Copies of `value` in which one field is something else, missing, or new. */
function* variations(value: unknown): Generator {
  const strange = [
    undefined,
    null,
    -1,
    0,
    1.5,
    1e16,
    2 ** 53,
    'a',
    '',
    true,
    [],
    {},
    [1],
    '2026-13-01T00:00:00.000Z',
  ]
  yield* strange
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value))
    for (const other of variations((value as Record<string, unknown>)[key]))
      yield Array.isArray(value)
        ? value.map((item: unknown, index) => (String(index) === key ? other : item))
        : { ...value, [key]: other }
  if (!Array.isArray(value)) yield { ...value, unknown: 1 }
}

t.test('a field that is not as it should be is for the protocol to judge', (t) => {
  const wire = JSON.parse(new TextDecoder().decode(encodeMetrics(exampleMetrics))) as unknown
  let [count, refused] = [0, 0]
  for (const variation of variations(wire)) {
    const payload = bytesOf(variation ?? null)
    const live = plainly(payload)
    const expected = properly(payload)
    count++
    if (expected === undefined) refused++
    if (live !== undefined && JSON.stringify(live) !== JSON.stringify(expected))
      t.same(live, expected, JSON.stringify(variation))
  }
  t.ok(count > 500 && refused > 300, `${refused} of ${count} are refused`)
  t.end()
})

t.test('what is too large or no text is left to the protocol', (t) => {
  const text = new TextDecoder().decode(encodeMetrics(exampleMetrics))
  t.equal(plainly(new TextEncoder().encode(text.padEnd(limits.metricsBytes + 1))), undefined)
  t.ok(plainly(new TextEncoder().encode(text.padEnd(limits.metricsBytes))))
  t.equal(plainly(Uint8Array.of(0xff)), undefined)
  t.equal(plainly(new Uint8Array()), undefined)
  t.end()
})
