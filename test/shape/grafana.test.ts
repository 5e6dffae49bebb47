/** Alerts and dashboard name figures that the agent tells. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PrometheusFigures } from '../../src/telemetry/prometheus-figures.js'
import { exampleMetrics } from '../helpers/example-messages.js'
import { projectRoot } from '../helpers/paths.js'

t.test('every figure that an alert or a panel asks for is one of /metrics', async (t) => {
  const figures = new PrometheusFigures()
  const serving = { model: 'parts', version: '1.0.0', variant: 'fp32', provider: 'cpu' }
  figures.take(exampleMetrics, serving)
  const timings = { inferenceMs: 1, totalMs: 2 }
  await figures.sink.accept({ camera: 'front', identity: serving, timings })
  const { body } = await figures.text()
  const told = new Set(body.split('\n').map((line) => /^yolo_edge_\w+/.exec(line)?.[0]))
  for (const file of ['alerts.yaml', 'dashboard.json']) {
    const text = readFileSync(join(projectRoot, 'deploy', 'grafana', file), 'utf8')
    const asked = new Set(text.match(/\byolo_edge_\w+/g))
    t.ok(asked.size > 5)
    for (const name of asked) t.ok(told.has(name), `${file}: ${name}`)
  }
})
