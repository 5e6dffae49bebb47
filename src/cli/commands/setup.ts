/**
 * `yolo-edge setup`: a device is told what it needs, each answer is tried, and the settings are written.
 * Invariant: nothing is written before every answer was tried and the whole was checked; settings of an earlier file that are not
 * asked for stay.
 */

import { Command } from 'commander'
import { existsSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { AgentError } from '../../base/errors.js'
import { cameraProblems } from '../../agent/serving/camera-problems.js'
import { loadConfig } from '../../config/load.js'
import { processOutput } from '../output.js'
import { type Answers, collectAnswers, type GivenAnswers } from '../setup/answers.js'
import { terminalAsker } from '../setup/ask.js'
import { type Change, changedSettings, ownerOf, writeSettings } from '../../config/settings-file.js'
import { serviceSettings, startService } from '../setup/start-service.js'

interface Options extends GivenAnswers {
  readonly config: string
  readonly start: boolean
  readonly json?: boolean
}

export function setupCommand(): Command {
  return new Command('setup')
    .description('Ask what this device needs, try each answer, write its settings, start its service.')
    .option('-c, --config <file>', 'file of settings that is written', serviceSettings)
    .option('--broker <url>', 'address of the MQTT broker')
    .option('--username <name>', 'user name at the broker')
    .option('--password-file <file>', 'file whose first line is the password at the broker')
    .option('--device <name>', 'name of this device (default: its host name)')
    .option('--channel <name>', 'update channel that it follows (default: stable)')
    .option(
      '--camera <name=address>',
      'a camera, such as front=/dev/video0; may be repeated',
      (text: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), text],
    )
    .option('--key <file>', 'public key of the fleet, made by yolo-edge keygen')
    .option('--no-contact', 'do not contact the broker and the cameras')
    .option('--no-start', 'do not start the service')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nWithout a terminal nothing is asked: what the options do not say stays as it is.',
    )
    .action(setup)
}

async function setup(options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const file = resolve(options.config)
  // The service reads the file alone: what stands in this environment is not its.
  const known = loadConfig({ file: existsSync(file) ? file : undefined, env: {} })
  const asker = terminalAsker()
  let answers: Answers
  try {
    answers = await collectAnswers(options, known, { asker, isNew: !existsSync(file) })
  } finally {
    asker?.close()
  }
  const changes = changesOf(answers)
  loadConfig({
    file: existsSync(file) ? file : undefined,
    env: {},
    overrides: new Map(changes.map(([path, value]) => [path.join('.'), value])),
    check: ({ cameras }) => cameraProblems(cameras).map(({ detail }) => detail),
  })
  const keyFile = await writeKey(answers, known.security.trustedKeys)
  await writeSettings(file, changedSettings(file, changes.map(leanChange)))
  output.line(`${file} is written`)
  if (keyFile !== undefined) output.line(`${keyFile} is trusted`)
  const service = await startService(file, options.start)
  output.result({ config: file, key: keyFile, service })
  if (service.state === 'started') output.line('the service runs; journalctl -u yolo-edge shows what it does')
  if (service.state === 'left') output.line(`start it: ${service.command}`)
  if (service.state === 'failed')
    throw new AgentError(
      'resource.tool_missing',
      `the settings are written, but the service did not start: ${service.reason}`,
      {
        hint: 'journalctl -u yolo-edge says why',
      },
    )
}

/** A list of brokers gives way to the one that was tried. */
function changesOf({ broker, device, channel, cameras }: Answers): readonly Change[] {
  const rows = cameras?.map(({ name, source, maxFps, loop }) => ({
    name,
    source,
    ...(maxFps > 0 && { max_fps: maxFps }),
    ...(loop && { loop }),
  }))
  return [
    ...(rows === undefined ? [] : [[['cameras'], rows] as const]),
    [['device', 'id'], device],
    [['device', 'channel'], channel],
    [['broker', 'url'], broker.url],
    [['broker', 'urls'], []],
    [['broker', 'username'], broker.username],
    [['broker', 'password_file'], broker.passwordFile],
  ]
}

/** What is empty by default does not have to stand in the file. */
function leanChange([path, value]: Change): Change {
  const isEmpty = value === '' || (path.at(-1) === 'urls' && Array.isArray(value))
  return [path, isEmpty ? undefined : value]
}

async function writeKey({ key }: Answers, folder: string): Promise<string | undefined> {
  if (key === undefined) return undefined
  const path = join(folder, key.name)
  const owner = ownerOf(path)
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (made !== undefined && owner !== undefined) await chown(folder, owner.uid, owner.gid)
  await writeFileAtomic(path, key.text, { mode: 0o644, ...(owner !== undefined && { owner }) })
  return path
}
