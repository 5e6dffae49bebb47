/** Zones and lines of a running agent: counts on the broker, over a restart, and taken back when they are switched off. */

import { join } from 'node:path'
import t from 'tap'
import { drawConveyor } from '../../src/cli/demo/conveyor.js'
import { type Counts, parseCounts } from '../../src/protocol/counts.js'
import { AgentLab, labDevice } from '../helpers/agent-lab.js'

t.setTimeout(300_000)

t.test('zones count, keep their sums over a restart, and leave nothing behind', async (t) => {
  const settings: Record<string, unknown> = {}
  const lab = await AgentLab.start({ settings })
  t.teardown(() => lab.stop())
  const { uri } = await drawConveyor(join(lab.folder, 'pictures'), () => undefined)
  const plain = { name: 'front', source: uri }
  const polygon = [
    [0.05, 0.05],
    [0.95, 0.05],
    [0.95, 0.95],
    [0.05, 0.95],
  ]
  const zones = [{ name: 'belt', polygon, classes: ['bolt', 'nut', 'washer', 'gear', 'spring', 'bearing'] }]
  settings['cameras'] = [{ ...plain, zones, lines: [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }] }]
  let counts: Counts | undefined
  let emptied = 0
  const topic = lab.topics.counts(labDevice, 'front')
  lab.viewer.subscribe([topic], 1, ({ payload }) => {
    if (payload.byteLength === 0) emptied++
    else counts = parseCounts(payload)
  })
  await lab.publish('1.0.0')
  await lab.wish('1.0.0')
  await lab.startAgent()
  await lab.until('objects are counted', () => (counts?.zones[0]?.entered ?? 0) >= 5)
  await lab.until('objects have ids', ({ detections }) =>
    (detections?.detections ?? []).some(({ trackId }) => trackId !== undefined),
  )
  await lab.stopAgent()
  const before = counts!.zones[0]!.entered
  counts = undefined
  await lab.startAgent()
  await lab.until('counts after the restart', () => counts !== undefined)
  t.ok(counts!.zones[0]!.entered >= before, `${counts!.zones[0]!.entered} after ${before}`)
  await lab.stopAgent()

  settings['cameras'] = [plain]
  await lab.startAgent()
  await lab.until('the counts are taken back', () => emptied > 0)
  await lab.stopAgent()
  await lab.startAgent()
  await lab.until('it serves again', ({ reported }) => reported?.active !== undefined)
  t.equal(emptied, 1, 'once')
})
