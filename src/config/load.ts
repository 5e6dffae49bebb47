/**
 * Reads the configuration: defaults, then the file, then the environment, then flags; later wins.
 * Invariant: nothing is used before everything was checked, and all problems are told at once.
 */

import { hostname } from 'node:os'
import convict from 'convict'
import { addressOf, hiddenMark } from '../base/address.js'
import { AgentError } from '../base/errors.js'
import { isName, nameExpected } from '../protocol/names.js'
import type { Config } from './config.js'
import type { CameraConfig } from './formats.js'
import { snakeOf } from './print.js'
import { scenePlanOf, sceneProblem } from '../zones/scene-plan.js'
import { readYamlMap } from './yaml-file.js'
import { camerasSetting, type Setting, settings } from './schema.js'

export interface ConfigSources {
  /** YAML or JSON file; undefined: none. */
  readonly file?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** `section.key` -> value as text or as it is; wins over everything. */
  readonly overrides?: ReadonlyMap<string, unknown>
  /** What else is wrong with settings that are in order one by one, a line each; asked once, if so. */
  readonly check?: (config: Config) => readonly string[]
}

/** The name of a setting in the environment: `broker.url` -> `YOLO_EDGE_BROKER_URL`. */
export function environmentNameOf(path: string): string {
  return `YOLO_EDGE_${path.replaceAll('.', '_').toUpperCase()}`
}

/** Loads and checks. Throws `config.file_unreadable` or `config.value_invalid` with one line for each problem. */
export function loadConfig(sources: ConfigSources): Config {
  const loaded = convict(convictSchema(), {
    env: sources.env,
    args: [],
  })
  const where = sources.file ?? 'the configuration'
  if (sources.file !== undefined) loaded.load(readYamlMap(sources.file, 'the configuration', 'broker:'))
  const problems: string[] = []
  for (const [path, value] of sources.overrides ?? []) {
    if (!isKnownPath(path)) problems.push(`${addressOf(path).shown}: no such setting`)
    else loaded.set(path, value)
  }
  try {
    loaded.validate({ allowed: 'strict' })
  } catch (thrown) {
    problems.push(...problemLines(thrown, loaded))
  }
  const config = configFrom(loaded.getProperties())
  problems.push(...crossProblems(config), ...hiddenProblems(config))
  if (problems.length === 0) problems.push(...(sources.check?.(config) ?? []))
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
    throw new AgentError(
      'config.value_invalid',
      `${where} has ${count}:\n${problems.map((line) => `  ${line}`).join('\n')}`,
      {
        hint: 'config/README.md lists every setting',
      },
    )
  }
  return deepFreeze(config)
}

function convictSchema(): convict.Schema<Record<string, unknown>> {
  const row = (path: string, setting: Setting<unknown>): object => ({
    doc: setting.doc,
    format: setting.format.name,
    default: setting.fallback,
    env: environmentNameOf(path),
    // Values are told by problemLines, and never a secret.
    sensitive: true,
  })
  const sections = Object.entries(settings).map(([section, keys]) => [
    section,
    Object.fromEntries(
      Object.entries(keys).map(([key, setting]) => [
        key,
        row(`${section}.${key}`, setting as Setting<unknown>),
      ]),
    ),
  ])
  return { ...(Object.fromEntries(sections) as object), cameras: row('cameras', camerasSetting) }
}

function isKnownPath(path: string): boolean {
  if (path === 'cameras') return true
  const [section, key, ...rest] = path.split('.')
  if (section === undefined || key === undefined || rest.length > 0 || !(section in settings)) return false
  return key in settings[section as keyof typeof settings]
}

function problemLines(thrown: unknown, loaded: convict.Config<Record<string, unknown>>): readonly string[] {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const unknownPath = /^configuration param '(.*)' not declared in the schema$/.exec(line)?.[1]
      if (unknownPath !== undefined) return `${addressOf(unknownPath).shown}: no such setting`
      const path = line.slice(0, line.indexOf(':'))
      return isKnownPath(path) ? `${line}${valueIn(loaded, path)}` : line
    })
}

/** `: value was ...` for a setting that may be shown. */
function valueIn(loaded: convict.Config<Record<string, unknown>>, path: string): string {
  if (path === 'cameras' || isSensitive(path)) return ''
  const value: unknown = loaded.get(path)
  return `: value was ${JSON.stringify(typeof value === 'string' ? addressOf(value).shown : value)}`
}

function isSensitive(path: string): boolean {
  const [section, key] = path.split('.')
  const row = Object.entries(settings).find(([name]) => name === section)?.[1] as
    Readonly<Record<string, Setting<unknown>>> | undefined
  return row?.[key ?? '']?.sensitive === true
}

const camelOf = (key: string): string =>
  key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** The wire form (snake_case) as a Config. Values may still be wrong; the caller reports that before anybody uses it. */
function configFrom(properties: Record<string, unknown>): Config {
  const sections = Object.keys(settings).map((section) => {
    const values = properties[section] as Record<string, unknown>
    return [section, Object.fromEntries(Object.entries(values).map(([key, value]) => [camelOf(key), value]))]
  })
  const config = Object.fromEntries(sections) as Record<string, Record<string, unknown>>
  const device = config['device']!
  if (device['id'] === '') device['id'] = hostname()
  const cameras = Array.isArray(properties['cameras'])
    ? (properties['cameras'] as Record<string, unknown>[])
    : []
  return { ...config, cameras: cameras.map(cameraFrom) } as unknown as Config
}

function cameraFrom(entry: Record<string, unknown>): CameraConfig {
  const scene = sceneProblem(entry) === undefined ? scenePlanOf(entry) : undefined
  return {
    name: entry['name'] as string,
    source: entry['source'] as string,
    maxFps: (entry['max_fps'] as number | undefined) ?? 0,
    loop: (entry['loop'] as boolean | undefined) ?? false,
    ...(scene !== undefined && { scene }),
  }
}

/** What no single setting can check. */
function crossProblems(config: Config): readonly string[] {
  const problems: string[] = []
  if (!isName(config.device.id))
    problems.push(`device.id: expected ${nameExpected}, got ${JSON.stringify(config.device.id)}`)
  const { certFile, keyFile, password, passwordFile } = config.broker
  if ((certFile === '') !== (keyFile === ''))
    problems.push('broker.cert_file and broker.key_file: expected both or none')
  if (password !== '' && passwordFile !== '')
    problems.push('broker.password and broker.password_file: expected one of them')
  const { cameras, events, homeassistant, telemetry } = config
  const isWatched = cameras.some(({ scene }) => (scene?.zones.length ?? 0) + (scene?.lines.length ?? 0) > 0)
  if (events.enabled && !isWatched)
    problems.push('events.enabled: no camera has anything to tell of: expected zones or lines in cameras')
  if (homeassistant.enabled && homeassistant.pictureS > 0 && !telemetry.previews)
    problems.push(
      'homeassistant.picture_s and telemetry.previews: expected picture_s 0 where previews are off',
    )
  return problems
}

/** Secrets that check-config hid, and that were not put back. */
function hiddenProblems(config: Config): readonly string[] {
  const { cameras, ...sections } = config
  const values = Object.entries(sections).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, value]): [string, unknown] => [`${section}.${snakeOf(key)}`, value]),
  )
  const sources = cameras.map(({ name, source }): [string, unknown] => [`camera ${name}`, source])
  return [...values, ...sources].flatMap(([path, value]) =>
    JSON.stringify(value).includes(hiddenMark)
      ? [`${path}: its secret is hidden (${hiddenMark}): put it back`]
      : [],
  )
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value))
    if (typeof part === 'object' && part !== null) deepFreeze(part as object)
  return Object.freeze(value)
}
