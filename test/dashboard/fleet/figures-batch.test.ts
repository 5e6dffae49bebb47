import t from 'tap'
import { FiguresPacker } from '../../../src/dashboard/fleet/figures-batch.js'
import { FleetStore } from '../../../src/dashboard/fleet/fleet-store.js'
import { rowOf } from '../../../src/dashboard/fleet/fleet-row.js'
import { encodeMetrics } from '../../../src/protocol/metrics.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { exampleMetrics, metricsWithout } from '../../helpers/example-messages.js'

const topics = topicsBelow('yolo-edge/v2')
const fewer = metricsWithout('temperatureC', 'diskFreeBytes')
const heard = [
  ['cam-1', encodeMetrics(exampleMetrics)],
  ['cam-2', encodeMetrics({ ...fewer, cameras: [] })],
  ['cam-1', encodeMetrics({ ...exampleMetrics, throttled: false })],
] as const

t.test('figures say what the messages said', (t) => {
  const [told, packed] = [new FleetStore(topics.root), new FleetStore(topics.root)]
  const packer = new FiguresPacker()
  const arrival = { wallMs: 1000, monotonicMs: 500 }
  for (const [device, payload] of heard) {
    told.receive({ topic: topics.deviceState(device, 'metrics'), payload: Uint8Array.from(payload) }, arrival)
    t.ok(packer.add(device, payload))
  }
  const { devices, cameras, values } = packer.pack()
  const batch = structuredClone({ devices, cameras, values }, { transfer: [values.buffer] })
  const before = packed.revision
  packed.receiveFigures(batch, arrival)
  t.ok(packed.revision > before)
  t.same([...packed.devices.keys()], ['cam-1', 'cam-2'])
  for (const [name, device] of packed.devices) {
    const expected = told.devices.get(name)!
    t.same(device.live, expected.live)
    t.same(device.samples.columns(), expected.samples.columns())
    t.same(rowOf(device, 600), rowOf(expected, 600))
  }
  t.end()
})

t.test('metrics in another notation are read as well, those that cannot be read are not taken', (t) => {
  const packer = new FiguresPacker()
  const text = new TextDecoder().decode(encodeMetrics(exampleMetrics))
  const newer = new TextEncoder().encode(text.replace('{', '{"not_known_yet":1,'))
  t.ok(packer.add('cam-1', newer))
  t.notOk(packer.add('cam-2', new TextEncoder().encode('{"schema":1}')))
  t.same(packer.pack().devices, ['cam-1'])
  t.equal(packer.pack().values.length, 10)
  t.end()
})
