/** `yolo-edge dashboard`: serves the page that shows the fleet, until it is interrupted. */

import { Command } from 'commander'
import { AgentError } from '../../base/errors.js'
import { PageServer } from '../../dashboard/page-server.js'
import { defaultRoot, topicsBelow } from '../../protocol/topics.js'
import { integerOption } from '../options.js'
import { processOutput } from '../output.js'

interface Options {
  readonly port: number
  readonly host: string
  readonly broker?: string
  readonly root: string
  readonly json?: boolean
}

export function dashboardCommand(): Command {
  return new Command('dashboard')
    .description("See the fleet in a browser; the page talks to the broker's WebSocket listener itself.")
    .option(
      '-p, --port <number>',
      'port of the page; 0 for a free one',
      integerOption('port', 0, 65_535),
      8080,
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-b, --broker <url>', 'WebSocket address of the broker, such as ws://broker:9001')
    .option('--root <topic>', 'root of the topics', defaultRoot)
    .option('--json', 'print JSON')
    .action(dashboard)
}

async function dashboard({ port, host, broker, root, json }: Options): Promise<void> {
  if (broker !== undefined) requireWebSocket(broker)
  topicsBelow(root)
  const server = new PageServer({
    port,
    host,
    topicRoot: root,
    ...(broker !== undefined && { brokerUrl: broker }),
  })
  await server.start()
  const output = processOutput(json ?? false)
  output.result({ url: server.url })
  output.line(server.url)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  await server.stop()
}

/** Browsers reach a broker through WebSocket alone. */
function requireWebSocket(broker: string): void {
  if (URL.canParse(broker) && /^wss?:$/.test(new URL(broker).protocol)) return
  throw new AgentError('cli.argument_invalid', `--broker ${broker}: expected ws:// or wss://`, {
    hint: 'Give the address of the broker listener with `protocol websockets`',
  })
}
