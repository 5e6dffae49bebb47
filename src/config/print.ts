/**
 * The settings as text that can be fed back: YAML, which JSON is too, with the names of the file.
 * Invariant: no secret is printed; where one stood, the text has a mark that loading refuses until the secret is put back.
 */

import { stringify } from 'yaml'
import { addressOf, hiddenMark } from '../base/address.js'
import { sceneEntries } from '../zones/scene-plan.js'
import type { CameraConfig, Config } from './config.js'
import { type Setting, settings } from './schema.js'

/** `keepaliveS` -> `keepalive_s`. */
export function snakeOf(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** `--token x`, `--api-key=x`: options of a command whose value is a secret. */
const secretOption = /(--?[\w-]*(?:pass|pwd|token|key|secret)[\w-]*[=\s]\s*)\S+/gi

function shownText(text: string): string {
  return addressOf(text).shown.replaceAll(secretOption, `$1${hiddenMark}`)
}

function shownValue(setting: Setting<unknown>, value: unknown): unknown {
  if (setting.sensitive === true) return value === '' ? '' : hiddenMark
  if (typeof value === 'string') return shownText(value)
  return Array.isArray(value)
    ? value.map((item: unknown) => (typeof item === 'string' ? shownText(item) : item))
    : value
}

function shownCamera({ name, source, maxFps, loop, scene }: CameraConfig): object {
  const shown = { name, source: shownText(source), max_fps: maxFps, loop }
  return scene === undefined ? shown : { ...shown, ...sceneEntries(scene) }
}

/** The settings in the form of the file, secrets hidden. */
export function shownSettings(config: Config): Readonly<Record<string, unknown>> {
  const { cameras, ...sections } = config
  const rows = Object.entries(sections).map(([section, values]): [string, unknown] => {
    const table = settings[section as keyof typeof sections] as Readonly<Record<string, Setting<unknown>>>
    const shown = Object.entries(values).map(([key, value]: [string, unknown]): [string, unknown] => {
      const name = snakeOf(key)
      return [name, shownValue(table[name]!, value)]
    })
    return [section, Object.fromEntries(shown)]
  })
  return { ...(Object.fromEntries(rows) as object), cameras: cameras.map(shownCamera) }
}

/** The settings as YAML, secrets hidden. */
export function settingsText(config: Config): string {
  return stringify(shownSettings(config), { lineWidth: 0 })
}
