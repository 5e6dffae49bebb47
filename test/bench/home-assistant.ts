/**
 * A device in Home Assistant itself: its announcement by the schemas of Home Assistant, the states of its entities while zones fill and
 * empty, a rollout in the update entity, and that everything is gone once the setting is off.
 *
 *     npm run bench -- home-assistant --python PYTHON_WITH_HOMEASSISTANT
 *
 * PYTHON needs `homeassistant`, `paho-mqtt` and what its MQTT and camera integrations import (deploy/HOME-ASSISTANT.md). Ends with
 * status 1 when something that is expected does not happen.
 */

import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { drawConveyor } from '../../src/cli/demo/conveyor.js'
import { AgentLab } from '../helpers/agent-lab.js'
import { projectRoot } from '../helpers/paths.js'

interface Told {
  readonly kind: 'started' | 'valid' | 'invalid' | 'warning' | 'state' | 'picture'
  readonly version?: string
  readonly entities?: number
  readonly jpeg?: boolean
  readonly text?: string
  readonly entity?: string
  /** Null for an entity that is gone. */
  readonly state?: string | null
  readonly attributes?: Readonly<Record<string, unknown>>
}

const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } })
const settings: Record<string, unknown> = {
  'homeassistant.enabled': true,
  'homeassistant.picture_s': 1,
  'acceptance.soak_s': 3,
}
const lab = await AgentLab.start({ settings })
const told: Told[] = []
/** Of each entity all states that it had, one after the other. */
const states = new Map<string, (string | null)[]>()
const progress: string[] = []

function hear(line: string): void {
  const message = JSON.parse(line) as Told
  told.push(message)
  const { entity, state, attributes } = message
  if (entity === undefined || state === undefined) return
  const list = states.get(entity) ?? []
  if (list.at(-1) !== state) list.push(state)
  states.set(entity, list)
  if (!entity.startsWith('update.')) return
  const { installed_version, latest_version, in_progress, update_percentage } = attributes ?? {}
  const text = `${String(installed_version)} -> ${String(latest_version)}${in_progress === true ? ` ${String(update_percentage)} %` : ''}`
  if (progress.at(-1) !== text) progress.push(text)
}

const failures: string[] = []

async function expect(what: string, isSo: () => boolean, limitMs = 120_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!isSo() && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 50))
  const happened = isSo()
  console.log(`${happened ? 'yes' : 'NO '}  ${what}`)
  if (!happened) failures.push(what)
}

const had = (entity: string, isIt: (state: string) => boolean): boolean =>
  (states.get(entity) ?? []).some((state) => state !== null && isIt(state))
const isNumber = (state: string): boolean => Number.isFinite(Number.parseFloat(state))
const now = (entity: string): string | null | undefined => states.get(entity)?.at(-1)

const { uri } = await drawConveyor(join(lab.folder, 'pictures'), () => undefined)
const polygon = [
  [0.35, 0.35],
  [0.65, 0.35],
  [0.65, 0.65],
  [0.35, 0.65],
]
const zones = [{ name: 'dock', polygon, classes: ['bolt', 'nut'] }]
const lines = [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }]
settings['cameras'] = [{ name: 'front', source: uri, zones, lines }]
const folder = join(lab.folder, 'home-assistant')
mkdirSync(folder)
const script = join(projectRoot, 'test', 'bench', 'peers', 'home_assistant.py')
const peer = spawn(values.python, [script, folder, new URL(lab.brokerUrl).port], {
  stdio: ['pipe', 'pipe', 'ignore'],
})
createInterface({ input: peer.stdout }).on('line', hear)
const ended = new Promise((resolve) => peer.once('exit', resolve))

try {
  await expect('Home Assistant starts', () => told.some(({ kind }) => kind === 'started'))
  console.log(`     its version is ${told.find(({ kind }) => kind === 'started')?.version ?? 'not known'}`)
  await lab.publish('1.0.0')
  await lab.wish('1.0.0')
  await lab.startAgent()
  await expect('its own schemas accept the device and every entity', () =>
    told.some(({ kind, entities = 0 }) => kind === 'valid' && entities > 0),
  )
  console.log(`     ${told.find(({ kind }) => kind === 'valid')?.entities ?? 0} entities`)
  const device = 'lab_device'
  await expect('a camera shows pictures', () =>
    told.some(
      ({ kind, entity, jpeg }) => kind === 'picture' && entity === `camera.${device}_front` && jpeg === true,
    ),
  )
  for (const figure of [
    'front_frames_per_second',
    'front_latency',
    'front_dock_objects',
    'front_dock_bolt_objects',
  ])
    await expect(`${figure} is a number`, () => had(`sensor.${device}_${figure}`, isNumber))
  const occupied = `binary_sensor.${device}_front_dock_occupied`
  await expect('a zone is occupied', () => had(occupied, (state) => state === 'on'))
  await expect('and empty', () => had(occupied, (state) => state === 'off'))
  await expect('what enters it is counted', () =>
    had(`sensor.${device}_front_dock_entered_today`, (state) => Number(state) >= 2),
  )
  const update = `update.${device}_model`
  await expect('the update entity knows the version that serves', () => progress.includes('1.0.0 -> 1.0.0'))
  await lab.publish('2.0.0')
  await lab.wish('2.0.0')
  await expect('it follows a rollout', () => progress.some((text) => /^1\.0\.0 -> 2\.0\.0 \d+ %$/.test(text)))
  await expect('to its end', () => progress.at(-1) === '2.0.0 -> 2.0.0' && now(update) === 'off')
  console.log(`     ${progress.join(', ')}`)
  await lab.stopAgent()
  await expect('a device that stops is unavailable', () => now(occupied) === 'unavailable')
  const known = [...states.keys()].sort()
  await lab.startAgent()
  await expect('and comes back', () => now(occupied) === 'on' || now(occupied) === 'off')
  await expect('under the names that it had', () => [...states.keys()].sort().join() === known.join(), 1)
  await lab.stopAgent()
  settings['homeassistant.enabled'] = false
  await lab.startAgent()
  await expect('switched off, nothing of it is left', () => known.every((entity) => now(entity) === null))
  const complaints = told
    .filter(({ kind }) => kind === 'warning' || kind === 'invalid')
    .map(({ text }) => text)
  await expect('Home Assistant complains of nothing', () => complaints.length === 0, 1)
  for (const text of complaints.slice(0, 10)) console.log(`     ${text ?? ''}`)
} finally {
  peer.stdin.end()
  await ended
  await lab.stop()
}
if (failures.length > 0) process.exitCode = 1
