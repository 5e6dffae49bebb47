/**
 * `yolo-edge variants`: which variants of a bundle a machine, or each of several recorded ones, would measure, and why not the
 * others. Invariant: nothing is measured; `bench --all-variants` does that.
 */

import { Command } from 'commander'
import { chosenInference, inferenceWith } from '../../agent/runtimes/installed-runtimes.js'
import { probeProviders } from '../../agent/probe/probe-providers.js'
import { probeRunners, workingRunners } from '../../agent/probe/probe-runners.js'
import { libraryOptionsOf } from '../../agent/serving/open-served-model.js'
import { updaterOptionsOf } from '../../agent/updater-options.js'
import { systemClock } from '../../base/clock.js'
import { loadConfig } from '../../config/load.js'
import { detectHardware } from '../../hardware/detect-hardware.js'
import { bundleFrom } from '../bundle/published-bundle.js'
import { settingOption } from '../options.js'
import { processOutput } from '../output.js'
import { machineLines, machineRow } from '../selection/variant-table.js'

interface Options {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  readonly root?: readonly string[]
  readonly json?: boolean
}

export function variantsCommand(): Command {
  return new Command('variants')
    .description(
      'Which variants of a bundle this machine, or recorded ones, can run, and why not the others.',
    )
    .argument('<model...>', 'one bundle folder made by search, or detectors as .onnx')
    .option('-c, --config <file>', 'YAML or JSON file of settings')
    .option(
      '--set <section.key=value>',
      'one setting; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .option(
      '--root <folder...>',
      'copied file trees (/proc, /sys, /etc, /dev) of machines, instead of this one',
    )
    .option('--json', 'print JSON')
    .action(variants)
}

async function variants(paths: string[], options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const config = loadConfig({ file: options.config, env: process.env, overrides: options.set })
  const { manifest } = await bundleFrom(paths, {}, [], systemClock.wallMs())
  const { selection } = updaterOptionsOf(config)
  const providers = await providersOf(config, options.root !== undefined)
  // A recorded machine has no command that could answer.
  const runners =
    options.root === undefined ? workingRunners(await probeRunners(config.inference.runners)) : []
  const roots = options.root ?? ['/']
  const rows = await Promise.all(
    roots.map(async (root) =>
      machineRow(await detectHardware({ root }), { providers, runners }, manifest.variants, selection),
    ),
  )
  output.result({ model: manifest.model, version: manifest.version, machines: rows })
  for (const row of rows) for (const line of machineLines(row)) output.line(line)
}

/** Of a recorded machine nothing can be proven: the settings are believed. */
async function providersOf(
  config: ReturnType<typeof loadConfig>,
  isRecorded: boolean,
): Promise<readonly string[]> {
  if (isRecorded) return inferenceWith(config.inference, []).providers
  const inference = await chosenInference(config)
  const found = await probeProviders(inference.providers, libraryOptionsOf(inference))
  return found.filter(({ works }) => works).map(({ name }) => name)
}
