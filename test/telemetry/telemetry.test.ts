import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { Histogram } from '../../src/base/histogram.js'
import { silentLogger } from '../../src/base/logger.js'
import { encodeMetrics, type Metrics } from '../../src/protocol/metrics.js'
import { encodeReport, type Report } from '../../src/protocol/report.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'
import { watchLoopDelay } from '../../src/telemetry/loop-delay.js'
import type { TelemetryPorts } from '../../src/telemetry/ports.js'
import { until } from '../helpers/broker.js'

function ports(metrics: Metrics[], reports: Report[], more: Partial<TelemetryPorts> = {}): TelemetryPorts {
  const latency = new Histogram()
  latency.record(5)
  return {
    takeCameras: () => [
      {
        camera: 'front',
        captured: 10,
        dropped: 1,
        restarts: 0,
        processed: 9,
        errors: 0,
        capturedFps: 10,
        processedFps: 9,
        latency: { inference: latency.summary(), total: new Histogram().summary() },
      },
    ],
    serving: () => ({ model: 'm', version: '1.0.0', variant: 'v', provider: 'cpu' }),
    failedFrames: () => 2,
    machine: () => Promise.resolve({ temperatureC: 40 }),
    accuracy: () => Promise.resolve({ map: 0.5, map50: 0.7, images: 4, dataset: 'golden' }),
    diskFreeBytes: () => Promise.resolve(undefined),
    outbox: () => ({ depth: 1, dropped: 0 }),
    connection: () => ({ publishesDropped: 3, reconnects: 1 }),
    publish: (sample) => metrics.push(sample),
    report: (report) => reports.push(report),
    clock: systemClock,
    logger: silentLogger,
    ...more,
  }
}

t.test('samples and reports can be written down, and come in their periods', async (t) => {
  const metrics: Metrics[] = []
  const reports: Report[] = []
  const telemetry = new Telemetry(ports(metrics, reports), { metricsPeriodMs: 20, reportPeriodMs: 50 })
  await telemetry.start()
  await telemetry.sink.accept({
    identity: { model: 'm', version: '1.0.0', variant: 'v' },
    classNames: ['nut'],
    sourceWidth: 10,
    sourceHeight: 10,
    detections: [],
    timings: { preprocessMs: 1, inferenceMs: 2, decodeMs: 3 },
  })
  await until(() => metrics.length > 2 && reports.length > 1)
  await telemetry.stop()
  for (const sample of metrics) t.ok(encodeMetrics(sample).byteLength > 100)
  for (const report of reports) t.ok(encodeReport(report).byteLength > 100)
  t.same(
    metrics.map(({ sequence }) => sequence),
    metrics.map((_, index) => index + 1),
  )
  t.match(metrics[0], { outboxDepth: 1, reconnects: 1, temperatureC: 40, cameras: [{ name: 'front' }] })
  t.equal(metrics[0]!.cameras[0]!.endToEnd, undefined, 'nothing is said of what was not measured')
  t.ok(metrics.some(({ eventLoopDelay }) => eventLoopDelay !== undefined && eventLoopDelay.maxMs >= 0))
  t.match(reports[0], { kind: 'period', frames: 1, errors: 2, latency: { count: 1 }, accuracy: { map: 0.5 } })
  t.match(reports[1], { frames: 0, errors: 0 })
  const count = metrics.length
  await systemClock.sleep(60)
  t.equal(metrics.length, count, 'nothing comes after stop')
})

t.test(
  'a sample that cannot be taken does not end the next ones; without a model there is no report',
  async (t) => {
    const metrics: Metrics[] = []
    const reports: Report[] = []
    let asked = 0
    const telemetry = new Telemetry(
      ports(metrics, reports, {
        machine: () => (asked++ === 0 ? Promise.reject(new Error('gone')) : Promise.resolve({})),
        serving: () => undefined,
      }),
      { metricsPeriodMs: 10, reportPeriodMs: 10 },
    )
    await telemetry.start()
    await until(() => metrics.length > 0)
    await telemetry.stop()
    t.same(reports, [])
  },
)

t.test('a report comes without accuracy when the golden set cannot be measured', async (t) => {
  const reports: Report[] = []
  const accuracy = (): Promise<undefined> => Promise.reject(new Error('no memory'))
  const telemetry = new Telemetry(ports([], reports, { accuracy }), {
    metricsPeriodMs: 1000,
    reportPeriodMs: 10,
  })
  await telemetry.start()
  await until(() => reports.length > 0)
  await telemetry.stop()
  t.match(reports[0], { kind: 'period', errors: 2 })
  t.notOk('accuracy' in reports[0]!)
})

t.test('a loop that is held up is seen', async (t) => {
  const watch = watchLoopDelay()
  await systemClock.sleep(30)
  const endMs = performance.now() + 120
  while (performance.now() < endMs);
  await systemClock.sleep(30)
  const delay = watch.take()
  watch.stop()
  t.ok(delay !== undefined && delay.maxMs > 80 && delay.p50Ms <= delay.maxMs)
})
