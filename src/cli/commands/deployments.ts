/** `yolo-edge deployments DEVICE`: how earlier deployments of a device ended, asked of the device itself. */

import { Command } from 'commander'
import {
  deploymentsCommandName,
  type EndedDeployment,
  parseDeploymentHistory,
} from '../../protocol/deployment-history.js'
import { askDevice } from '../fleet/ask-device.js'
import { type BrokerOptions, withBrokerOptions, withFleet } from '../fleet/fleet-connection.js'
import { integerOption } from '../options.js'
import { processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly timeout: number
  readonly json?: boolean
}

export function deploymentsCommand(): Command {
  const command = new Command('deployments')
    .description('How earlier deployments of a device ended, and why.')
    .argument('<device>', 'name of the device; it has to be online')
    .option('--timeout <seconds>', 'how long to wait for its answer', integerOption('timeout', 1, 600), 10)
    .option('--json', 'print JSON')
  return withBrokerOptions(command).action(deployments)
}

async function deployments(device: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const data = await withFleet(options, (fleet) =>
    askDevice(fleet, device, deploymentsCommandName, options.timeout * 1000),
  )
  const history = parseDeploymentHistory(data)
  output.result({ device, deployments: history.map(resultOf) })
  if (history.length === 0) output.line(`${device} has ended no deployment yet`)
  for (const ended of history) for (const line of linesOf(ended)) output.line(line)
}

function resultOf({ isFinal, ...ended }: EndedDeployment): object {
  return { ...ended, is_final: isFinal }
}

const words = { committed: 'committed', refused: 'refused', rolledBack: 'rolled back' } as const

function linesOf({
  at,
  model,
  version,
  result,
  attempts,
  error,
  isFinal,
}: EndedDeployment): readonly string[] {
  const tries = attempts > 1 ? ` after ${attempts} attempts` : ''
  const line = `${at}  ${model} ${version}  ${words[result]}${tries}`
  if (error === undefined) return [line]
  return [line, `    ${error.code}: ${error.message}${isFinal ? '' : '; it will be tried again'}`]
}
