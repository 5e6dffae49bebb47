/** `yolo-edge check-config`: checks a configuration and prints what results, secrets hidden. */

import { Command } from 'commander'
import { loadConfig } from '../../config/load.js'
import { configReference } from '../../config/reference.js'
import { settingOption } from '../options.js'
import { processOutput } from '../output.js'

interface Options {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  readonly reference?: boolean
  readonly json?: boolean
}

export function checkConfigCommand(): Command {
  return new Command('check-config')
    .description('Check the settings from file, environment and flags; print what results.')
    .option('-c, --config <file>', 'YAML or JSON file of settings')
    .option(
      '--set <section.key=value>',
      'one setting; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .option('--reference', 'print the reference of all settings as Markdown instead')
    .option('--json', 'print JSON')
    .action(checkConfig)
}

function checkConfig(options: Options): void {
  const output = processOutput(options.json ?? false)
  if (options.reference === true) {
    process.stdout.write(configReference())
    return
  }
  const config = loadConfig({ file: options.config, env: process.env, overrides: options.set })
  const shown = {
    ...config,
    broker: { ...config.broker, password: config.broker.password === '' ? '' : '(hidden)' },
  }
  output.result(shown)
  output.line(`${options.config ?? 'The settings'}: in order`)
  output.line(JSON.stringify(shown, null, 2))
}
