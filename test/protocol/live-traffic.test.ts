/** All that a run of the demo sends, held against the documents of the protocol, both ways. */

import t from 'tap'
import { messageKinds, payloadForms } from '../../src/protocol/catalogue.js'
import { encodeDetections } from '../../src/protocol/detections.js'
import { encodeMetrics } from '../../src/protocol/metrics.js'
import { encodeReported } from '../../src/protocol/reported.js'
import { defaultRoot, parseTopic } from '../../src/protocol/topics.js'
import { recordDemo } from '../helpers/demo-traffic.js'
import { exampleFrame, exampleMetrics, exampleReported } from '../helpers/example-messages.js'
import { hasAllKinds, notInDemo } from '../helpers/recorded-examples.js'
import { checkOf, judge } from '../helpers/wire-validators.js'

t.test('every message of a demo run is as documented, and every documented kind is sent', async (t) => {
  const { live, kept } = await recordDemo(new Map([['tracking.enabled', true]]), hasAllKinds)
  const problems: string[] = []
  const kinds = new Map<string, number>()
  for (const { topic, payload, qos } of live) {
    const { kind, problem } = judge(topic, payload)
    if (problem !== undefined) problems.push(problem)
    if (kind === undefined) continue
    kinds.set(kind.kind, (kinds.get(kind.kind) ?? 0) + 1)
    if (qos !== kind.qos) problems.push(`${topic} came with QoS ${qos}, not ${kind.qos}`)
  }
  t.ok(
    live.some(({ payload }) => payload.includes('"track_id"')),
    'objects have ids',
  )
  t.comment(JSON.stringify(Object.fromEntries(kinds)))
  t.same([...new Set(problems)].slice(0, 10), [], `${live.length} messages`)
  const keptKinds = new Set(kept.map((topic) => parseTopic(defaultRoot, topic)?.kind))
  for (const { kind, isRetained } of messageKinds.filter((each) => !notInDemo.has(each.kind))) {
    t.ok((kinds.get(kind) ?? 0) > 0, `${kind} was sent`)
    t.equal(keptKinds.has(kind), isRetained, `${kind} is ${isRetained ? '' : 'not '}kept by the broker`)
  }
})

t.test('the schemas refuse what the readers refuse', (t) => {
  const checkNamed = (name: string): ReturnType<typeof checkOf> =>
    checkOf(payloadForms.find((form) => form.name === name)!)
  const changed = (bytes: Uint8Array, change: object): Uint8Array =>
    Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(bytes).toString()) as object), ...change }))
  const frame = exampleFrame([{ classIndex: 3, score: 0.5 }])
  const full = encodeDetections(frame, 'full')
  const compact = encodeDetections(frame, 'compact')
  t.equal(checkNamed('detections')(full), undefined)
  t.equal(checkNamed('compact-detections')(compact), undefined)
  t.equal(checkNamed('metrics')(encodeMetrics(exampleMetrics)), undefined, 'metrics with all fields')
  t.equal(checkNamed('reported')(encodeReported(exampleReported)), undefined)
  for (const change of [{ schema: 1 }, { width: 0 }, { objects: [{}] }, { frame_id: 0.5 }, { unknown: 1 }])
    t.ok(checkNamed('detections')(changed(full, change)), JSON.stringify(change))
  t.ok(checkNamed('compact-detections')(changed(compact, { scores: [2] })))
  t.ok(checkNamed('metrics')(changed(encodeMetrics(exampleMetrics), { cameras: [{ name: 'a/b' }] })))
  t.end()
})
