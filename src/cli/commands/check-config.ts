/** `yolo-edge check-config`: checks a configuration and prints what results as YAML that can be fed back, secrets hidden. */

import { Command } from 'commander'
import { settingsText, shownSettings } from '../../config/print.js'
import { configReference } from '../../config/reference.js'
import { withRules } from '../option-rules.js'
import { settingOption } from '../options.js'
import { processOutput } from '../output.js'
import { loadSettings } from '../load-settings.js'

interface Options {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  readonly reference?: boolean
  readonly json?: boolean
}

export function checkConfigCommand(): Command {
  const command = new Command('check-config')
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
  return withRules(command, { '--reference': { only: [] } }).action(checkConfig)
}

function checkConfig(options: Options): void {
  const output = processOutput(options.json ?? false)
  if (options.reference === true) {
    process.stdout.write(configReference())
    return
  }
  const config = loadSettings(options)
  output.result(shownSettings(config))
  output.line(`# ${options.config ?? 'The settings'}: in order`)
  output.line(settingsText(config).trimEnd())
}
