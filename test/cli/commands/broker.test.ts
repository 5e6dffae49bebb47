/** `yolo-edge broker check` against brokers that give everything, and brokers that do not. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../../helpers/mosquitto.js'
import { runCommand } from '../../helpers/processes.js'
import { temporaryFolder } from '../../helpers/temporary-folder.js'

interface Finding {
  readonly need: string
  readonly verdict: string
  readonly sentence: string
}

async function check(
  t: Test,
  urls: readonly string[],
  more: readonly string[] = [],
): Promise<{ readonly status: unknown; readonly findings: readonly Finding[]; readonly stderr: string }> {
  const { status, stdout, stderr } = await runCommand(t, [
    'broker',
    'check',
    ...urls,
    '--wait',
    '2',
    '--json',
    ...more,
  ])
  // A failed check prints its findings first and the error after them.
  const text = stdout.slice(0, stdout.indexOf('\n}\n') + 3)
  const { findings = [] } = JSON.parse(text) as { findings?: readonly Finding[] }
  return { status, findings, stderr }
}

const failures = (findings: readonly Finding[]): readonly string[] =>
  findings.filter(({ verdict }) => verdict === 'fails').map(({ need }) => need)

t.test('a good broker meets every need, and nothing is left on it', async (t) => {
  const broker = await startBroker(t)
  const { status, findings, stderr } = await check(t, [broker.url])
  t.equal(status, 0, stderr)
  t.same(
    findings.map(({ need, verdict }) => `${need}: ${verdict}`),
    [
      'connection: ok',
      'names in topics, retained: ok',
      'a chunk of a model: ok',
      '32 chunks at once: ok',
      'a newer message replaces: ok',
      'retained messages by wildcard: ok',
      'an empty message clears: ok',
      'last will: ok',
    ],
  )
  const connection = await openConnection(t, broker.url)
  const left: string[] = []
  await connection.subscribe(['#'], 1, ({ topic, payload }) => {
    if (payload.byteLength > 0) left.push(topic)
  }).outcome
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.same(left, [])
})

t.test('two brokers that know nothing of each other are no cluster', async (t) => {
  const [one, two] = [await startBroker(t), await startBroker(t)]
  const { status, findings, stderr } = await check(t, [one.url, two.url])
  t.equal(status, 6)
  t.match(stderr, /does not give what a fleet needs: node 127\.0\.0\.1/)
  t.match(findings.at(-1), { verdict: 'fails', sentence: /does not hand out what another node keeps/ })
})

t.test('what Mosquitto is told to refuse is found and named', { skip: skipWithoutMosquitto() }, async (t) => {
  const folder = temporaryFolder(t)
  const cases: readonly (readonly [string, readonly string[], RegExp, string])[] = [
    ['retain', ['retain_available false'], /keeps no retained messages/, 'connection'],
    ['qos', ['max_qos 0'], /QoS 0 only/, 'connection'],
    [
      'size',
      ['message_size_limit 50000'],
      /61,440 bytes is not taken: .*a message was too large/,
      'a chunk of a model',
    ],
  ]
  for (const [name, lines, sentence, need] of cases) {
    const own = join(folder, name)
    mkdirSync(own)
    const broker = await Mosquitto.start({ folder: own, lines })
    t.teardown(() => broker.stop())
    const { status, findings, stderr } = await check(t, [broker.url])
    t.equal(status, 6, name)
    t.ok(failures(findings).includes(need), `${name}: ${failures(findings).join(', ')}`)
    t.match(findings.find((finding) => finding.need === need)?.sentence, sentence)
    t.match(stderr, /network\.broker_unfit/)
  }
})

t.test(
  'over MQTT 3.1.1 a refused message looks like a taken one: it is found missing',
  { skip: skipWithoutMosquitto() },
  async (t) => {
    const folder = temporaryFolder(t)
    const rules = join(folder, 'rules')
    writeFileSync(rules, 'topic read #\n', { mode: 0o600 })
    const broker = await Mosquitto.start({ folder, lines: [`acl_file ${rules}`] })
    t.teardown(() => broker.stop())
    const { status, findings } = await check(t, [broker.url], ['--set', 'broker.protocol_version=4'])
    t.equal(status, 6)
    t.match(findings.at(-1), {
      need: 'names in topics, retained',
      verdict: 'fails',
      sentence: /acknowledged and never handed out/,
    })
  },
)

t.test('a broker that is not there, and wrong input', async (t) => {
  t.match(await runCommand(t, ['broker', 'check', '--wait', '0']), { status: 2, stderr: /--wait 0/ })
  t.match(await runCommand(t, ['broker', 'check', 'http://127.0.0.1']), { status: 2, stderr: /mqtt:\/\// })
})
