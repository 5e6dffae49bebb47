/** A device that has been broken into: what it says of itself is printed, and no terminal obeys it. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parseCommand } from '../../../src/protocol/command.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { projectRoot } from '../../helpers/paths.js'

const run = promisify(execFile)
const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const topics = topicsBelow('yolo-edge/v2')
const at = '2026-01-01T00:00:00.000Z'
/** A title, a cleared screen, a color, a line of its own, C1 and a turned direction. */
const hostile =
  '\u001b]0;TITLE\u0007\u001b[2J\u001b[31mFAKE: all is well\u001b[0m\r\nfake line\u009b31m\u202eRTL'
/** What a terminal shows and does not obey; other scripts aside, nobody here speaks them. */
const plain = /^[\x20-\x7e\n]*$/

t.test('no command prints what a terminal would obey', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const say = (kind: 'deployment' | 'info' | 'reported', value: object): Promise<unknown> =>
    connection.publishState(
      topics.deviceState('evil', kind),
      Buffer.from(JSON.stringify({ schema: 1, at, ...value })),
    )
  const error = { code: 'trust.key_unknown', message: hostile }
  const version = { model: 'parts', version: '9.9.9' }
  await say('deployment', { id: 'x', state: 'refused', ...version, attempt: 1, error })
  await say('reported', { refused: { ...version, at, error } })
  await say('info', {
    ...{ started_at: at, agent_version: '1', node_version: '20', os: 'x', board: 'b \u009b31m\u202eRTL' },
    ...{ arch: 'x64', cpu_model: 'cpu', cpu_features: [], cpu_cores: 1, memory_bytes: 1 },
    ...{ accelerators: [], providers: [], cameras: [] },
  })
  await connection.subscribe([topics.commandsOf('evil')], 1, ({ topic, payload }) => {
    const { transaction } = parseCommand(payload)
    const ended = { id: 'x', ...version, at, result: 'refused', attempts: 1, is_final: true, error }
    const answer = { schema: 1, transaction, status: 'ok', data: { deployments: [ended] } }
    const response = Buffer.from(JSON.stringify(answer))
    void connection.publish(`${topic}/response`, response, { qos: 1, retain: false })
  }).outcome
  for (const command of [
    ['why', 'evil'],
    ['rollout', 'status'],
    ['deployments', 'evil'],
  ]) {
    const name = command.join(' ')
    const forPeople = await run(process.execPath, [program, ...command, '--broker', broker.url])
    t.match(forPeople.stdout, /FAKE: all is well/, name)
    t.match(forPeople.stdout + forPeople.stderr, plain, name)
    t.notMatch(forPeople.stdout, /^fake line/m, `${name} begins no line that a device wrote`)
    const forMachines = await run(process.execPath, [program, ...command, '--broker', broker.url, '--json'])
    t.match(forMachines.stdout, plain, `${name} --json`)
    t.match(JSON.stringify(JSON.parse(forMachines.stdout)), /FAKE: all is well/)
  }
})
