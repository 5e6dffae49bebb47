/**
 * `yolo-edge run`: the daemon. Invariant: SIGTERM and SIGINT end it cleanly with status 0: frames under way are finished,
 * the broker hears `stopped`; a second signal ends it at once.
 */

import { Command } from 'commander'
import { pino } from 'pino'
import { type Agent, startAgent } from '../../agent/agent.js'
import { systemClock } from '../../base/clock.js'
import { printableLines } from '../../base/printable.js'
import { goesToJournal, withPriority } from '../journal.js'
import { loadSettings } from '../load-settings.js'
import { settingOption } from '../options.js'
import { packageVersion } from '../package-version.js'

interface Options {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
}

export function runCommand(): Command {
  return new Command('run')
    .description(
      'Run the agent: follow a channel, serve the cameras, report. Made for systemd; logs JSON lines.',
    )
    .option('-c, --config <file>', 'YAML or JSON file of settings (see config/README.md)')
    .option(
      '--set <section.key=value>',
      'one setting, such as cameras=front=/dev/video0; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .action(run)
}

async function run(options: Options): Promise<void> {
  const config = loadSettings(options)
  const logger = pino({
    level: config.log.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: goesToJournal(1) ? (line) => withPriority(printableLines(line)) : printableLines },
  })
  const stopping = stopSignal()
  const agent = await startAgent(config, { logger, version: packageVersion() })
  const signal = await stopping
  logger.info({ signal }, 'stopping')
  await stopWithin(agent)
  logger.info({}, 'stopped')
}

/** Resolves with the first signal that asks the process to end; the second ends it. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isAsked = false
    const ask = (signal: NodeJS.Signals): void => {
      if (isAsked) process.exit(130)
      isAsked = true
      resolve(signal)
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}

/** Below systemd's TimeoutStopSec. */
const stopLimitMs = 25_000

/** Stops the agent; a part that hangs does not keep the process. */
async function stopWithin(agent: Agent): Promise<void> {
  const done = new AbortController()
  const limit = systemClock.sleep(stopLimitMs, done.signal).then(() => {
    if (!done.signal.aborted) process.exit(70)
  })
  await agent.stop()
  done.abort()
  await limit
}
