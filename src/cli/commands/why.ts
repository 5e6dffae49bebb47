/**
 * `yolo-edge why DEVICE`: what a device serves, why this variant and no other, and how its last deployment went.
 * Invariant: says only what the device itself has said in its retained topics.
 */

import { Command } from 'commander'
import { AgentError } from '../../base/errors.js'
import { type Deployment, parseDeployment } from '../../protocol/deployment.js'
import { type DeviceInfo, parseInfo } from '../../protocol/info.js'
import { parseReported, type Reported } from '../../protocol/reported.js'
import {
  type BrokerOptions,
  type FleetConnection,
  withBrokerOptions,
  withFleet,
} from '../fleet/fleet-connection.js'
import { readTopics } from '../fleet/retained.js'
import { refusalLine } from '../fleet/rollout-status.js'
import { processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly json?: boolean
}

/** What a device has said of itself. */
export interface DeviceWords {
  readonly reported?: Reported
  readonly deployment?: Deployment
  readonly info?: DeviceInfo
}

export function whyCommand(): Command {
  const command = new Command('why')
    .description('Why a device serves the variant it serves, and why not another.')
    .argument('<device>', 'name of the device')
    .option('--json', 'print JSON')
  return withBrokerOptions(command).action(why)
}

async function why(device: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const words = await withFleet(options, (fleet) => listenTo(fleet, device))
  if (words.reported === undefined && words.deployment === undefined && words.info === undefined) {
    throw new AgentError('network.request_timeout', `device ${device} has said nothing to this broker`, {
      hint: 'check the name and broker.topic_root; yolo-edge doctor on the device checks its connection',
    })
  }
  output.result({ device, ...words })
  for (const line of decisionLines(device, words)) output.line(line)
}

async function listenTo(fleet: FleetConnection, device: string): Promise<DeviceWords> {
  const kinds = ['reported', 'deployment', 'info'] as const
  const topicOf = (kind: keyof DeviceWords): string => fleet.topics.deviceState(device, kind)
  const received = await readTopics(fleet, kinds.map(topicOf))
  const [reported, deployment, info] = kinds.map((kind) => received.get(topicOf(kind)))
  return {
    ...(reported !== undefined && { reported: parseReported(reported) }),
    ...(deployment !== undefined && { deployment: parseDeployment(deployment) }),
    ...(info !== undefined && { info: parseInfo(info) }),
  }
}

/** The whole decision, on one page. */
export function decisionLines(
  device: string,
  { reported, deployment, info }: DeviceWords,
): readonly string[] {
  const { active, previous, refused, restoring, distrusted, refusedWish } = reported ?? {}
  const machine =
    info === undefined
      ? []
      : [
          `  on ${info.board}: ${info.cpuModel}, ${info.cpuFeatures.join(' ')}`,
          ...info.providers.map(({ name, works, reason }) =>
            works
              ? `  provider ${name} works`
              : `  provider ${name} does not work: ${reason ?? 'no reason given'}`,
          ),
        ]
  const serving =
    active === undefined
      ? [`${device} serves no model`]
      : [
          `${device} serves ${active.model} ${active.version}, variant ${active.variant}, on ${active.provider} since ${active.since}`,
          `  because ${active.why ?? 'nothing was said of it'}`,
        ]
  const before =
    previous === undefined ? [] : [`a rollback would bring back ${previous.model} ${previous.version}`]
  const isLast = refused?.version === deployment?.version && deployment?.error !== undefined
  const refusal =
    refused === undefined || isLast
      ? []
      : [
          `did not take ${refused.model} ${refused.version} at ${refused.at}`,
          `  ${refused.error.code}: ${refused.error.message}`,
        ]
  const wrong =
    restoring === undefined
      ? []
      : [
          `it should serve ${restoring.model} ${restoring.version}, which it is getting back since ${restoring.since}`,
          `  ${restoring.error.code}: ${restoring.error.message}`,
        ]
  const signature =
    distrusted === undefined
      ? []
      : [`  it would not be accepted today: ${distrusted.code}: ${distrusted.message}`]
  const wish = refusedWish === undefined ? [] : [refusalLine({ device, ...refusedWish })]
  const served = [...serving, ...signature, ...wrong, ...machine]
  return [...served, ...deploymentLines(deployment), ...refusal, ...wish, ...before]
}

function deploymentLines(deployment: Deployment | undefined): readonly string[] {
  if (deployment === undefined) return []
  const { model, version, state, attempt, error, discarded = [] } = deployment
  return [
    `last deployment: ${model} ${version}, ${state}, attempt ${attempt}`,
    ...(error === undefined ? [] : [`  ${error.code}: ${error.message}`]),
    ...discarded.map(({ variant, reason }) => `  not ${variant}: ${reason}`),
  ]
}
