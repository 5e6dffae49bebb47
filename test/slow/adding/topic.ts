/** The topic `devices/<id>/alarms/<camera>` with a small payload: that a camera sees nothing any more. */

import { type Addition, behind } from './addition.js'

export const topic: Addition = {
  heading: 'A topic with a payload',
  tests: [
    'test/protocol/topics.test.ts',
    'test/protocol/documents.test.ts',
    'test/protocol/payload-limits.test.ts',
    'test/protocol/alarm.test.ts',
  ],
  places: [
    {
      path: 'src/protocol/topics.ts',
      notice: 'you begin here',
      change: [
        behind(
          'export type Topic =\n',
          "  | { readonly kind: 'alarm'; readonly device: string; readonly camera: string }\n",
        ),
        behind(
          '  preview(device: string, camera: string): string\n',
          '  alarm(device: string, camera: string): string\n',
        ),
      ],
    },
    {
      path: 'src/protocol/topics.ts',
      notice: 'the compiler',
      change: [
        {
          find: '    command: (name, commandName) =>',
          put: '    alarm: (name, cameraName) => `${device(name)}/alarms/${camera(cameraName)}`,\n    command: (name, commandName) =>',
        },
      ],
    },
    {
      path: 'src/protocol/topics.ts',
      notice: '`test/protocol/topics.test.ts`',
      change: [
        {
          find: '    if (cameraKinds.has(group))',
          put: "    if (group === 'alarms') return { kind: 'alarm', device, camera: name }\n    if (cameraKinds.has(group))",
        },
      ],
    },
    {
      path: 'src/protocol/limits.ts',
      notice: 'you begin here',
      change: [
        {
          find: '  commandBytes: 64 * 1024,\n',
          put: '  alarmBytes: 4 * 1024,\n  commandBytes: 64 * 1024,\n',
        },
      ],
    },
    {
      path: 'src/protocol/payload-limits.ts',
      notice: 'the compiler',
      change: [{ find: '  command: limits', put: '  alarm: limits.alarmBytes,\n  command: limits' }],
    },
    {
      path: 'src/protocol/alarm.ts',
      notice: 'you begin here',
      change: `/** That a camera sees nothing any more. Invariant: one message a change. */

import * as v from 'valibot'
import { lineField, momentField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** One alarm. */
export interface Alarm {
  readonly at: string
  readonly reason: string
}

const payload = jsonPayload<Alarm>({
  what: 'alarm',
  schema: v.object({ at: momentField, reason: lineField(500) }),
  bytesMax: limits.alarmBytes,
  version: 1,
})

/** Reads an alarm. Throws \`protocol.*\` errors that name the field. */
export const parseAlarm = payload.parse

/** Writes an alarm. Throws the same errors when a reader would refuse it. */
export const encodeAlarm = payload.encode

/** The form on the wire, for documents. */
export const alarmWire = payload.shape
`,
    },
    {
      path: 'src/protocol/catalogue.ts',
      notice: 'the compiler',
      change: [
        {
          find: "  command: {\n    address: topics.command('DEVICE', 'COMMAND'),\n",
          put: `  alarm: {
    address: topics.alarm('DEVICE', 'CAMERA'),
    ...{ sender: 'device', qos: 1, isRetained: false },
    purpose: 'That a camera sees nothing any more.',
    forms: [json('alarm', alarmWire)],
  },
  command: {
    address: topics.command('DEVICE', 'COMMAND'),
`,
        },
        {
          find: "import { commandWire, responseWire } from './command.js'\n",
          put: "import { alarmWire } from './alarm.js'\nimport { commandWire, responseWire } from './command.js'\n",
        },
      ],
    },
    {
      path: 'protocol/README.md',
      notice: '`test/protocol/documents.test.ts`',
      change: { run: ['dist/src/cli/main.js', 'protocol', '--out', 'protocol'] },
    },
    {
      path: 'deploy/mosquitto/yolo-edge.acl',
      notice: '`test/protocol/topics.test.ts`',
      change: [
        behind(
          'pattern write yolo-edge/v2/devices/%u/preview/+\n',
          'pattern write yolo-edge/v2/devices/%u/alarms/+\n',
        ),
      ],
    },
    {
      path: 'test/protocol/topics.test.ts',
      notice: 'the compiler',
      change: [
        behind(
          '    preview: [topics.preview(device, camera), { device, camera }],\n',
          '    alarm: [topics.alarm(device, camera), { device, camera }],\n',
        ),
      ],
    },
    {
      path: 'test/protocol/alarm.test.ts',
      notice: 'nobody',
      change: `import t from 'tap'
import { encodeAlarm, parseAlarm } from '../../src/protocol/alarm.js'

t.test('an alarm is read as it was written, and nothing else is an alarm', (t) => {
  const alarm = { at: '2026-01-01T00:00:00.000Z', reason: 'no picture for 30 s' }
  t.same(parseAlarm(encodeAlarm(alarm)), alarm)
  t.throws(() => parseAlarm(Buffer.from('{"schema":1}')), { code: 'protocol.payload_malformed', message: /at/ })
  t.end()
})
`,
    },
  ],
}
