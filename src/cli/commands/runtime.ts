/**
 * `yolo-edge runtime`: what computes on this device besides the CPU, from the packages of its makers.
 * Invariant: nothing is fetched but by `add`; what is added was proven before it counts.
 */

import { Command } from 'commander'
import { installedRuntimes, type RuntimeRecord } from '../../agent/runtimes/installed-runtimes.js'
import { runtimePackage, runtimePackages } from '../../runtime/packages/runtime-table.js'
import { loadSettings } from '../load-settings.js'
import { choiceOption, settingOption } from '../options.js'
import { processOutput, table } from '../output.js'
import { addRuntime, removeRuntime } from '../runtime/add-runtime.js'

interface Options {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  readonly json?: boolean
}

interface Adding extends Options {
  readonly from?: string
  readonly precision: 'float32' | 'any'
}

export function runtimeCommand(): Command {
  const command = new Command('runtime').description(
    'Libraries that compute on the hardware of this device, from the packages of their makers.',
  )
  for (const nested of [listCommand(), addCommand(), removeCommand()]) command.addCommand(nested)
  return command
}

function withSettings(command: Command): Command {
  return command
    .option('-c, --config <file>', 'YAML or JSON file of settings: its state.directory is used')
    .option(
      '--set <section.key=value>',
      'one setting, such as state.directory=/data; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .option('--json', 'print JSON')
}

function listCommand(): Command {
  return withSettings(
    new Command('list').description('Show what can be added here, and what is there.'),
  ).action(list)
}

function addCommand(): Command {
  return withSettings(
    new Command('add')
      .description('Fetch one (with pip), check its digest, unpack it, prove and time it.')
      .argument('<name>', [...new Set(runtimePackages.map(({ name }) => name))].join(', ')),
  )
    .option('--from <file>', 'take the file of the package from here, fetch nothing')
    .option(
      '--precision <kind>',
      'float32: ask for it where the runtime would compute in less; any: as it likes',
      choiceOption('precision', ['float32', 'any'] as const),
      'float32',
    )
    .action(add)
}

function removeCommand(): Command {
  return withSettings(
    new Command('remove').description('Take one away, with the engines that it built.').argument('<name>'),
  ).action(remove)
}

const timesFaster = ({ ms, cpuMs }: RuntimeRecord): string => (cpuMs / ms).toFixed(2)

async function list(options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { state } = loadSettings(options)
  const there = await installedRuntimes(state.directory)
  const rows = runtimePackages.filter(({ arch }) => arch === process.arch)
  output.result(
    rows.map(({ name, provider, version, bytes, needs }) => {
      const installed = there.find((one) => one.name === name)
      return { name, provider, version, bytes, needs, installed: installed ?? null }
    }),
  )
  const lines = rows.map(({ name, version, bytes, needs }) => {
    const installed = there.find((one) => one.name === name)
    const [precision, faster] =
      installed === undefined ? ['', ''] : [installed.precision, timesFaster(installed)]
    return [
      name,
      installed?.version ?? version,
      installed === undefined ? `${(bytes / 1e6).toFixed(0)} MB` : 'there',
      precision,
      faster,
      needs,
    ]
  })
  output.line(
    table([['runtime', 'version', 'download', 'computes in', 'times as fast as the CPU', 'needs'], ...lines]),
  )
}

async function add(name: string, options: Adding): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { state } = loadSettings(options)
  const row = runtimePackage(name, process.arch)
  const record = await addRuntime(row, {
    stateDirectory: state.directory,
    from: options.from,
    isExact: options.precision === 'float32',
    say: output.note,
  })
  output.result(record)
  output.line(`${name} ${record.version} computes right, in ${record.precision}`)
  const times = `YOLOv8n at 640: ${record.ms.toFixed(1)} ms, by the built-in library on the CPU ${record.cpuMs.toFixed(1)} ms`
  output.line(times)
  output.line(
    record.ms < record.cpuMs
      ? 'with inference.providers: auto it serves from the next start of the agent on: systemctl restart yolo-edge'
      : `with inference.providers: auto the CPU serves, because it is faster; inference.providers: [${record.provider}, cpu] asks for it all the same`,
  )
}

async function remove(name: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { state } = loadSettings(options)
  await removeRuntime(name, state.directory)
  output.result({ removed: name })
  output.line(`${name} is removed; an agent that runs uses it until it is started again`)
}
