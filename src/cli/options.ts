/** Reads option values that commander hands over as text. Invariant: a wrong value names the option and what it expects. */

import { AgentError } from '../base/errors.js'

/** What `--strict` does, in the commands that read labelled pictures. */
export const strictMeaning =
  'end where a picture or a label cannot be used (default: leave the picture out, and say so)'

/** A parser for a number within bounds. */
export function numberOption(name: string, low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && value >= low && value <= high) return value
    throw new AgentError('cli.argument_invalid', `--${name} ${text}: expected a number ${low}..${high}`)
  }
}

/** A parser for a whole number within bounds. */
export function integerOption(name: string, low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isInteger(value) && value >= low && value <= high) return value
    throw new AgentError('cli.argument_invalid', `--${name} ${text}: expected a whole number ${low}..${high}`)
  }
}

/** A parser for one of a few words. */
export function choiceOption<T extends string>(name: string, choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text)
    if (choice !== undefined) return choice
    throw new AgentError('cli.argument_invalid', `--${name} ${text}: expected one of ${choices.join(', ')}`)
  }
}

/** Width and height of a model's input, pixels. */
export interface InputSize {
  readonly width: number
  readonly height: number
}

/** Reads `--size 640` or `--size 640x480`, width first: the input size of a model that leaves it open. */
export function sizeOption(text: string): InputSize {
  const [, width, height = width] = /^(\d{1,5})(?:x(\d{1,5}))?$/.exec(text) ?? []
  const size = { width: Number(width), height: Number(height) }
  if (size.width >= 32 && size.height >= 32 && size.width % 32 === 0 && size.height % 32 === 0) return size
  throw new AgentError(
    'cli.argument_invalid',
    `--size ${text}: expected multiples of 32 such as 640 or 640x480, width first`,
  )
}

/** What `--size` is, for the help of a command. */
export const sizeHelp = 'input size of a model exported with dynamic=True (default: its imgsz)'

/** Collects `--set section.key=value` into a map. */
export function settingOption(
  text: string,
  earlier: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, unknown> {
  const cut = text.indexOf('=')
  if (cut < 1) {
    // What follows the name may be a password.
    const name = /^[\w.]*/.exec(text)?.[0] ?? ''
    throw new AgentError('cli.argument_invalid', `--set ${name}: expected section.key=value`)
  }
  return new Map([...earlier, [text.slice(0, cut), text.slice(cut + 1)]])
}

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A parser for a time span such as `30s`, `15m`, `1h` or `2d`, in milliseconds; `off`, where it is allowed, gives undefined. */
export function spanOption(name: string, mayBeOff = false): (text: string) => number | undefined {
  return (text) => {
    if (mayBeOff && text === 'off') return undefined
    const [, digits, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
    const spanMs = Number(digits) * (unitsMs[unit ?? ''] ?? Number.NaN)
    if (spanMs > 0) return spanMs
    const expected = `a time such as 30s, 15m, 1h or 2d${mayBeOff ? ', or off' : ''}`
    throw new AgentError('cli.argument_invalid', `--${name} ${text}: expected ${expected}`)
  }
}

/** A parser for a share in per cent such as `5%` or `5`, as 0..1. */
export function shareOption(name: string): (text: string) => number {
  return (text) => {
    const share = Number(text.replace(/%$/, '')) / 100
    if (/^[\d.]+%?$/.test(text) && share >= 0 && share <= 1) return share
    throw new AgentError('cli.argument_invalid', `--${name} ${text}: expected a share such as 5%, 0..100`)
  }
}

/** A parser for rising shares in per cent such as `5,25,100`. */
export function stepsOption(name: string): (text: string) => readonly number[] {
  return (text) => {
    const steps = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
    const isRising = steps.every((step, index) => step > (steps[index - 1] ?? 0) && step <= 100)
    if (isRising && steps.length <= 32) return steps
    const problem = `--${name} ${text}: expected at most 32 rising shares such as 5,25,100`
    throw new AgentError('cli.argument_invalid', problem)
  }
}
