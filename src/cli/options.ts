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

/** Collects `--set section.key=value` into a map. */
export function settingOption(
  text: string,
  earlier: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, unknown> {
  const cut = text.indexOf('=')
  if (cut < 1) throw new AgentError('cli.argument_invalid', `--set ${text}: expected section.key=value`)
  return new Map([...earlier, [text.slice(0, cut), text.slice(cut + 1)]])
}
