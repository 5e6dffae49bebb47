/** Zones and lines of a running agent: counts, events and Home Assistant, over a restart, and taken back when they are switched off. */

import { join } from 'node:path'
import t from 'tap'
import { drawConveyor } from '../../src/cli/demo/conveyor.js'
import { type Counts, parseCounts } from '../../src/protocol/counts.js'
import { homeAssistantTopic } from '../../src/protocol/home-assistant.js'
import { parseSceneEvent, type SceneEvent } from '../../src/protocol/scene-event.js'
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
  settings['events.enabled'] = true
  settings['homeassistant.enabled'] = true
  const events: SceneEvent[] = []
  lab.viewer.subscribe([lab.topics.events(labDevice, 'front')], 1, ({ payload }) => {
    events.push(parseSceneEvent(payload))
  })
  const announced: Buffer[] = []
  lab.viewer.subscribe([homeAssistantTopic('homeassistant', lab.topics, labDevice)], 1, ({ payload }) => {
    announced.push(Buffer.from(payload))
  })
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
  const idsOf = (kind: SceneEvent['kind']): readonly string[] =>
    events.flatMap((event) => (event.kind === kind ? [event.id] : [])).sort()
  await lab.until('every stay has an end', () => idsOf('end').length === idsOf('new').length)
  t.same(idsOf('end'), idsOf('new'))
  t.equal(counts!.zones[0]!.entered, counts!.zones[0]!.left, 'nobody is left inside')
  const before = counts!.zones[0]!.entered
  counts = undefined
  await lab.startAgent()
  await lab.until('counts after the restart', () => counts !== undefined)
  t.ok(counts!.zones[0]!.entered >= before, `${counts!.zones[0]!.entered} after ${before}`)
  await lab.stopAgent()

  t.same(announced[0], announced.at(-1), 'announced in the same words')
  t.match(JSON.parse(announced[0]!.toString()), { components: { 'front-belt-bolt-objects': {} } })
  settings['cameras'] = [plain]
  settings['events.enabled'] = false
  settings['homeassistant.enabled'] = false
  await lab.startAgent()
  await lab.until('the counts are taken back', () => emptied > 0)
  await lab.until('the announcement is taken back', () => announced.at(-1)!.byteLength === 0)
  await lab.stopAgent()
  await lab.startAgent()
  await lab.until('it serves again', ({ reported }) => reported?.active !== undefined)
  t.equal(emptied, 1, 'once')
})
