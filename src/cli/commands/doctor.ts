/**
 * `yolo-edge doctor`: looks at this device, or at a recorded file tree of one, and says what is in order, what is not, and
 * what to do about it. Invariant: it changes nothing; its status is 0 only without faults.
 */

import { Command } from 'commander'
import type { Config } from '../../config/config.js'
import { loadConfig } from '../../config/load.js'
import { detectHardware } from '../../hardware/detect-hardware.js'
import { findingLines } from '../doctor/finding.js'
import { hardwareFindings } from '../doctor/hardware-findings.js'
import { siteFindings } from '../doctor/site-findings.js'
import { withRules } from '../option-rules.js'
import { settingOption } from '../options.js'
import { processOutput } from '../output.js'

interface Options {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  readonly root?: string
  readonly contact: boolean
  readonly json?: boolean
}

/** Something on this device has to be put in order. */
const faultStatus = 5

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Look at this device: hardware, providers, cameras, broker, disk, keys; with remedies.')
    .option('-c, --config <file>', 'YAML or JSON file of settings')
    .option(
      '--set <section.key=value>',
      'one setting; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .option('--root <folder>', 'look at the hardware of a copied file tree (/proc, /sys, /etc, /dev) instead')
    .option('--no-contact', 'do not contact the broker and the cameras')
    .option('--json', 'print JSON')
  return withRules(command, { '--root': { only: ['--json'] } }).action(doctor)
}

async function doctor(options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const hardware = await detectHardware(options.root === undefined ? {} : { root: options.root })
  const findings = [
    ...hardwareFindings(hardware),
    ...(options.root === undefined ? await siteFindings(configOf(options), options) : []),
  ]
  const count = (state: string): number => findings.filter((each) => each.state === state).length
  output.result({ hardware, findings })
  for (const line of findingLines(findings)) output.line(line)
  output.line(`faults: ${count('fault')}, warnings: ${count('warning')}`)
  if (count('fault') > 0) process.exitCode = faultStatus
}

function configOf({ config, set }: Options): Config {
  return loadConfig({ file: config, env: process.env, overrides: set })
}
