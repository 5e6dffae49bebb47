/**
 * `yolo-edge broker check`: whether a broker gives what a fleet needs of it, tried with real messages.
 * Invariant: exit status 0 only when every need is met, if with less.
 */

import { Command } from 'commander'
import { connectionOptionsOf } from '../../agent/broker-connection.js'
import { AgentError } from '../../base/errors.js'
import { loadConfig } from '../../config/load.js'
import { topicsBelow } from '../../protocol/topics.js'
import { type BrokerFinding, checkBroker } from '../../transport/broker-check.js'
import { type BrokerOptions, settingsOf, withBrokerOptions } from '../fleet/fleet-connection.js'
import { withRules } from '../option-rules.js'
import { numberOption } from '../options.js'
import { processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly wait: number
  readonly json?: boolean
}

export function brokerCommand(): Command {
  return new Command('broker').description('Look at a broker.').addCommand(checkCommand())
}

function checkCommand(): Command {
  const command = new Command('check')
    .description(
      'Try what a fleet needs of a broker, with the account of whoever publishes, and say what to change.',
    )
    .argument(
      '[url...]',
      'address of the broker, or of each node of a cluster (default: those of the settings)',
    )
    .option(
      '--wait <seconds>',
      'how long a message may take from one client to another',
      numberOption('wait', 0.1, 600),
      10,
    )
    .option('--json', 'print JSON')
  return withRules(withBrokerOptions(command), { '<url>': { excludes: ['--broker'] } }).action(check)
}

async function check(urls: string[], options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const [first] = urls
  const { broker } = loadConfig(settingsOf(first === undefined ? options : { ...options, broker: first }))
  const connection = await connectionOptionsOf(broker, 'yolo-edge-check')
  const addresses = urls.length > 0 ? urls : [connection.url, ...(connection.furtherUrls ?? [])]
  const findings = await checkBroker({
    connection,
    urls: addresses,
    topics: topicsBelow(broker.topicRoot),
    waitMs: options.wait * 1000,
    onFinding: (finding) => {
      for (const line of linesOf(finding)) output.line(line)
    },
  })
  output.result({ urls: addresses, findings })
  const failed = findings.filter(({ verdict }) => verdict === 'fails')
  if (failed.length === 0) return
  throw new AgentError(
    'network.broker_unfit',
    `the broker does not give what a fleet needs: ${failed.map(({ need }) => need).join(', ')}`,
  )
}

const marks: Readonly<Record<BrokerFinding['verdict'], string>> = { ok: 'ok', limited: '--', fails: 'NO' }

function linesOf({ need, verdict, sentence, remedy }: BrokerFinding): readonly string[] {
  const line = `${marks[verdict]}  ${need}: ${sentence}`
  return remedy === undefined ? [line] : [line, `    ${remedy}`]
}
