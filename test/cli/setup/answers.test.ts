/** Answers of a person at a terminal: proposals, and questions that come again until the answer is right. */

import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { type GivenAnswers, collectAnswers } from '../../../src/cli/setup/answers.js'
import type { Asker } from '../../../src/cli/setup/ask.js'
import { loadConfig } from '../../../src/config/load.js'
import { generateKeys } from '../../../src/protocol/keys.js'
import { startBroker } from '../../helpers/broker.js'
import { fixture } from '../../helpers/paths.js'

const picture = fixture('pictures', 'bmp-24.bmp')

/** Answers as they are typed, in order; what the program says is kept. */
function typed(answers: readonly string[]): Asker & { readonly said: string[] } {
  const left = [...answers]
  const said: string[] = []
  return {
    said,
    ask: (question, proposal) => {
      said.push(question)
      const answer = left.shift()
      if (answer === undefined) throw new Error(`asked more than was answered: ${question}`)
      return Promise.resolve(answer === '' ? proposal : answer)
    },
    say: (text) => {
      said.push(text)
    },
    close: () => undefined,
  }
}

const nothing: GivenAnswers = { contact: true }

t.test('a wrong answer is asked for again', async (t) => {
  const folder = t.testdir()
  const broker = await startBroker(t)
  const key = join(folder, 'fleet')
  writeFileSync(key, generateKeys().publicPem)
  const overrides = new Map([['security.trusted_keys', join(folder, 'keys')]])
  const config = loadConfig({ env: {}, overrides })
  const asker = typed([
    ...['', 'broker', 'mqtt://127.0.0.1:1', '-', broker.url, '-'],
    ...['a b', 'press-2'],
    '',
    ...['belt', `belt=${picture}`],
    ...['', '/no/such', key],
  ])
  const answers = await collectAnswers(nothing, config, { asker, isNew: true })
  t.match(answers, {
    broker: { url: broker.url, username: '' },
    device: 'press-2',
    channel: 'stable',
    cameras: [{ name: 'belt', source: picture }],
    key: { name: 'fleet.pub' },
  })
  t.equal(asker.said.filter((text) => text.startsWith('Address of the MQTT broker')).length, 4)
  t.match(asker.said.join('\n'), /expected a URL that starts with mqtt/)
  t.match(asker.said.join('\n'), /first picture after/)
})

t.test('an option is not asked for, and keys that are there suffice', async (t) => {
  const broker = await startBroker(t)
  const config = loadConfig({ env: {}, overrides: new Map([['security.allow_unsigned', true]]) })
  const asker = typed(['', '-', ''])
  const given = { ...nothing, broker: broker.url, device: 'press-2' }
  const answers = await collectAnswers(given, config, { asker, isNew: false })
  t.match(answers, { device: 'press-2', channel: 'stable', cameras: [], key: undefined })
  t.notOk(asker.said.some((text) => text.startsWith('Name of this device')))
})
