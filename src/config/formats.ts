/**
 * Formats of configuration values: what is checked, how text from the environment becomes a value, and the words for it.
 * Invariant: a format's name reads as the sentence "expected <name>".
 */

import convict from 'convict'
import { parseWeeklyHours, weeklyHoursExpected } from '../base/weekly-hours.js'
import { camerasMax } from '../protocol/limits.js'
import { isName, nameExpected } from '../protocol/names.js'
import { isRoot, rootExpected } from '../protocol/topics.js'
import { sceneKeys, type ScenePlan, sceneProblem } from '../zones/scene-plan.js'

/** A format with a name that says what it expects. */
export interface Format<T> {
  readonly name: string
  /** Type-level only: what a checked value is. */
  readonly value?: T
}

const known = new Map<string, Format<unknown>>()

function define<T>(
  name: string,
  accepts: (value: unknown) => boolean,
  coerce?: (text: string) => unknown,
): Format<T> {
  const format: Format<T> = { name }
  if (known.has(name)) return format
  known.set(name, format)
  convict.addFormat({
    name,
    validate: (value: unknown) => {
      if (!accepts(value)) throw new TypeError(`expected ${name}`)
    },
    ...(coerce === undefined
      ? {}
      : { coerce: (value: unknown) => (typeof value === 'string' ? coerce(value) : value) }),
  })
  return format
}

const numberFrom = (text: string): unknown => (text.trim() === '' ? text : Number(text))

export function integerBetween(low: number, high: number): Format<number> {
  return define(
    `a whole number ${low}..${high}`,
    (value) => Number.isInteger(value) && (value as number) >= low && (value as number) <= high,
    numberFrom,
  )
}

export function numberBetween(low: number, high: number): Format<number> {
  return define(
    `a number ${low}..${high}`,
    (value) => typeof value === 'number' && value >= low && value <= high,
    numberFrom,
  )
}

export const flag: Format<boolean> = define(
  'true or false',
  (value) => typeof value === 'boolean',
  (text) => (text === 'true' ? true : text === 'false' ? false : text),
)

export const text: Format<string> = define('text', (value) => typeof value === 'string')

export const textOrEmpty: Format<string> = define(
  'text, empty for none',
  (value) => typeof value === 'string',
)

export function oneOf<T extends string | number>(...values: readonly T[]): Format<T> {
  return define(
    `one of ${values.join(', ')}`,
    (value) => values.includes(value as T),
    typeof values[0] === 'number' ? numberFrom : undefined,
  )
}

/** A name that may stand in a topic and in a path. */
export const plainName: Format<string> = define(
  `a name of ${nameExpected}`,
  (value) => typeof value === 'string' && isName(value),
)

export const brokerUrl: Format<string> = define(
  'a URL that starts with mqtt://, mqtts://, ws:// or wss://',
  isBrokerUrl,
)

export const brokerUrlList: Format<readonly string[]> = define(
  'a list of URLs that start with mqtt://, mqtts://, ws:// or wss://',
  (value) => Array.isArray(value) && value.every(isBrokerUrl),
  (text) => text.split(',').map((item) => item.trim()),
)

function isBrokerUrl(value: unknown): boolean {
  return typeof value === 'string' && /^(mqtt|mqtts|ws|wss):\/\/.+/.test(value) && URL.canParse(value)
}

export const topicRoot: Format<string> = define(
  rootExpected,
  (value) => typeof value === 'string' && isRoot(value),
)

export const nameList: Format<readonly string[]> = define(
  'a list of names',
  (value) => Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''),
  (text) => text.split(',').map((item) => item.trim()),
)

export const weeklyHoursList: Format<readonly string[]> = define(
  `a list of ${weeklyHoursExpected}`,
  (value) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string' && parseWeeklyHours(item) !== undefined),
  // A comma may stand between days as well: a new item begins behind a time.
  (text) => text.split(/(?<=:\d{2}),/).map((item) => item.trim()),
)

/** `tensorrt.trt_fp16_enable=1`: an option of an execution provider. */
export const providerOptionList: Format<readonly string[]> = define(
  'a list of provider.option=value',
  (value) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string' && /^[a-z]+\.[^=\s]+=.*$/.test(item)),
  (text) => text.split(',').map((item) => item.trim()),
)

/** `webgpu=/opt/lib/libonnxruntime_providers_webgpu.so`: an execution provider and the library that has it. */
export const providerLibraryList: Format<readonly string[]> = define(
  'a list of provider=/path/of/library',
  (value) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string' && /^[a-z0-9][a-z0-9_.-]*=\/.+$/.test(item)),
  (text) => text.split(',').map((item) => item.trim()),
)

/** `hef=/usr/local/bin/hailo-runner --quiet`: a kind of artefact and the command that runs it. */
export const runnerList: Format<readonly string[]> = define(
  'a list of kind=command',
  (value) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string' && /^(?!onnx=)[a-z][a-z0-9_]*=\S.*$/.test(item)),
  (text) => text.split(',').map((item) => item.trim()),
)

/** One camera of the list. */
export interface CameraConfig {
  readonly name: string
  readonly source: string
  readonly maxFps: number
  readonly loop: boolean
  /** Zones, lines, masks and filters; absent without any. */
  readonly scene?: ScenePlan
}

/** The list of cameras: checked entry by entry, so that a message names the entry. */
export const cameraList: Format<readonly CameraConfig[]> = defineCameraList()

function defineCameraList(): Format<readonly CameraConfig[]> {
  const name = `a list of at most ${camerasMax} cameras`
  convict.addFormat({
    name,
    validate: (value: unknown) => {
      const problem = cameraListProblem(value)
      if (problem !== undefined) throw new TypeError(problem)
    },
    coerce: (value: unknown) => (typeof value === 'string' ? camerasFromText(value) : value),
  })
  return { name }
}

/**
 * `name=source,name=source` from the environment or a flag. A comma belongs to an address unless another camera begins behind it:
 * a name with its =, a path, or a scheme.
 */
function camerasFromText(value: string): unknown {
  return value.split(/,(?=\s*(?:[A-Za-z0-9][\w.-]*=|\/|[a-z][a-z0-9+.-]*:\/\/))/).map((entry, index) => {
    const [, name, source] = /^([^=:/?#@]*)=(.*)$/s.exec(entry) ?? []
    return name === undefined || source === undefined
      ? { name: `camera${index}`, source: entry.trim() }
      : { name: name.trim(), source: source.trim() }
  })
}

function cameraListProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'expected a list of cameras, each with a name and a source'
  if (value.length > camerasMax)
    return `expected at most ${camerasMax} cameras, got ${value.length}; run a second agent for the others`
  const names = new Map<string, string>()
  for (const [index, entry] of value.entries()) {
    const problem = cameraProblem(entry, names)
    if (problem !== undefined) return `entry ${index}: ${problem}`
  }
  return undefined
}

function cameraProblem(entry: unknown, names: Map<string, string>): string | undefined {
  if (typeof entry !== 'object' || entry === null) return 'expected a camera with name and source'
  const { name, source, max_fps: maxFps, loop, ...rest } = entry as Record<string, unknown>
  const unknownKeys = Object.keys(rest).filter((key) => !sceneKeys.some((known) => known === key))
  if (unknownKeys.length > 0)
    return `unknown key ${unknownKeys.join(', ')}; known are name, source, max_fps, loop, ${sceneKeys.join(', ')}`
  if (typeof name !== 'string' || !isName(name)) return `name: expected ${plainName.name}`
  // Whoever reads the names, or makes files of them, may not tell Door from door.
  const twin = names.get(name.toLowerCase())
  if (twin !== undefined)
    return twin === name ? `name ${name} is used twice` : `the names ${twin} and ${name} differ only in case`
  names.set(name.toLowerCase(), name)
  if (typeof source !== 'string' || source === '')
    return 'source: expected a camera URI, for example /dev/video0'
  if (maxFps !== undefined && !(typeof maxFps === 'number' && maxFps >= 0 && maxFps <= 1000)) {
    return 'max_fps: expected a number 0..1000'
  }
  if (loop !== undefined && typeof loop !== 'boolean') return 'loop: expected true or false'
  return sceneProblem(rest)
}
