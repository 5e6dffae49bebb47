import t from 'tap'
import { PrometheusFigures } from '../../src/telemetry/prometheus-figures.js'
import { exampleMetrics, metricsWithout } from '../helpers/example-messages.js'

const identity = { model: 'parts', version: '1.0.0', variant: 'fp32' }
const serving = { ...identity, provider: 'cpu' }

async function valueOf(figures: PrometheusFigures, series: string): Promise<number | undefined> {
  const { body } = await figures.text()
  const line = body.split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

t.test('a sample and its frames are told in base units', async (t) => {
  const figures = new PrometheusFigures()
  figures.take(exampleMetrics, serving)
  await figures.sink.accept({ camera: 'front', identity, timings: { inferenceMs: 20, totalMs: 40 } })
  const expected: readonly (readonly [string, number])[] = [
    ['yolo_edge_frames_processed_total{camera="front"}', 90],
    ['yolo_edge_frames_failed_total{camera="front"}', 2],
    ['yolo_edge_temperature_celsius', 61.5],
    ['yolo_edge_cpu_ratio', 0.425],
    ['yolo_edge_throttled', 1],
    ['yolo_edge_broker_reconnects_total', 4],
    ['yolo_edge_model_info{model="parts",version="1.0.0",variant="fp32",provider="cpu"}', 1],
    ['yolo_edge_inference_seconds_sum{camera="front",model="parts",version="1.0.0",variant="fp32"}', 0.02],
    [
      'yolo_edge_capture_to_detections_seconds_bucket{le="0.05",camera="front",model="parts",version="1.0.0",variant="fp32"}',
      1,
    ],
  ]
  for (const [series, value] of expected) t.equal(await valueOf(figures, series), value, series)
  t.match((await figures.text()).contentType, /^text\/plain; version=0\.0\.4/)
})

t.test('counters grow by what totals grow, and by all of a total that begins anew', async (t) => {
  const figures = new PrometheusFigures()
  const sampleOf = (captured: number): typeof exampleMetrics => ({
    ...exampleMetrics,
    cameras: [{ ...exampleMetrics.cameras[0]!, captured }],
  })
  for (const captured of [100, 150, 20]) figures.take(sampleOf(captured), undefined)
  t.equal(await valueOf(figures, 'yolo_edge_frames_captured_total{camera="front"}'), 170)
})

t.test('what the machine does not tell is absent, and so is a model while none serves', async (t) => {
  const figures = new PrometheusFigures()
  figures.take(exampleMetrics, serving)
  figures.take(metricsWithout('temperatureC', 'throttled'), undefined)
  t.equal(await valueOf(figures, 'yolo_edge_temperature_celsius'), undefined)
  t.equal(await valueOf(figures, 'yolo_edge_throttled'), undefined)
  t.notMatch((await figures.text()).body, /yolo_edge_model_info\{/)
})

t.test('a name with quotes, backslashes and line breaks stays one label', async (t) => {
  const figures = new PrometheusFigures()
  const camera = 'a"b\\c\nd'
  await figures.sink.accept({ camera, identity, timings: { inferenceMs: 1, totalMs: 1 } })
  t.match((await figures.text()).body, /inference_seconds_count\{camera="a\\"b\\\\c\\nd",/)
})

t.test('zones and lines are counted by class', async (t) => {
  const figures = new PrometheusFigures()
  const { scenes } = figures
  scenes.entered('front', 'dock', 'bolt "M4"')
  scenes.left('front', 'dock', 'bolt "M4"', 1500)
  scenes.objects('front', 'dock', 'nut', 3)
  for (const isForward of [true, true, false]) scenes.crossed('front', 'gate', 'nut', isForward)
  for (const [series, value] of [
    ['yolo_edge_zone_entries_total{camera="front",zone="dock",class="bolt \\"M4\\""}', 1],
    ['yolo_edge_zone_dwell_seconds_sum{camera="front",zone="dock",class="bolt \\"M4\\""}', 1.5],
    ['yolo_edge_zone_objects{camera="front",zone="dock",class="nut"}', 3],
    ['yolo_edge_line_crossings_total{camera="front",line="gate",class="nut",direction="forward"}', 2],
    ['yolo_edge_line_crossings_total{camera="front",line="gate",class="nut",direction="backward"}', 1],
  ] as const)
    t.equal(await valueOf(figures, series), value, series)
})
