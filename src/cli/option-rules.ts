/**
 * Which options mean something together: each command declares it beside its options, and one place refuses what has no effect.
 * Invariant: an option that is given either has an effect or ends the command with a sentence, before anything is read or written.
 *
 * Rules speak of what is given, by name:
 *
 *     --every             an option
 *     --criterion random  an option with this value
 *     <url>               an argument
 *     a bundle folder     whatever else a command finds to be given ({@link AlsoGiven}), in words that fit behind "with"
 */

import type { Command } from 'commander'
import { AgentError } from '../base/errors.js'

/** What an option, or anything else that is given, asks of the rest of the command line. */
export interface OptionRule {
  /** One of these has to be given as well. */
  readonly needs?: readonly string[]
  /** None of these may be given as well. */
  readonly excludes?: readonly string[]
  /** Nothing but these may be given as well. */
  readonly only?: readonly string[]
  /** What a person can do about it; a sentence without its end. */
  readonly hint?: string
}

/** The rules of a command, by what they are about. */
export type OptionRules = Readonly<Record<string, OptionRule>>

/** What counts as given beside what stands on the command line, such as sections of a plan file. */
export type AlsoGiven = (command: Command) => readonly string[] | Promise<readonly string[]>

const declared = new WeakMap<Command, OptionRules>()

/**
 * Declares `rules` for `command`, which must have the options that they name: they are checked before its action runs.
 * The action of a command that breaks a rule is not called; it ends with `cli.argument_invalid`.
 */
export function withRules(command: Command, rules: OptionRules, also: AlsoGiven = () => []): Command {
  declared.set(command, rules)
  return command.hook('preAction', async (_, acting) => {
    const given = new Set([...givenTo(acting), ...(await also(acting))])
    const refusal = refusalOf(rules, given)
    if (refusal !== undefined) throw refusal
  })
}

/** The rules that were declared for `command`; empty where there are none. */
export function rulesOf(command: Command): OptionRules {
  return declared.get(command) ?? {}
}

/** What stands on the command line of a parsed `command`, under the names that rules use. */
export function givenTo(command: Command): readonly string[] {
  const options = command.options.flatMap((option) => {
    const name = option.attributeName()
    if (command.getOptionValueSource(name) !== 'cli') return []
    const flag = option.long ?? option.flags
    const value: unknown = command.getOptionValue(name)
    return typeof value === 'string' ? [flag, `${flag} ${value}`] : [flag]
  })
  const args = command.registeredArguments.filter((_, index) => {
    const value: unknown = command.processedArgs[index]
    return Array.isArray(value) ? value.length > 0 : value !== undefined
  })
  return [...options, ...args.map((argument) => `<${argument.name()}>`)]
}

/** The refusal of the first rule that what is `given` breaks; undefined where all hold. */
export function refusalOf(rules: OptionRules, given: ReadonlySet<string>): AgentError | undefined {
  for (const [name, { needs, excludes = [], only, hint }] of Object.entries(rules)) {
    if (!given.has(name)) continue
    const refused = (problem: string): AgentError =>
      new AgentError('cli.argument_invalid', problem, hint === undefined ? {} : { hint })
    if (needs !== undefined && !needs.some((other) => given.has(other)))
      return refused(`${name} without ${needs.join(' or ')}: expected ${oneOf(needs)} as well`)
    const isIdle = (other: string): boolean =>
      excludes.includes(other) ||
      (only !== undefined && isFlag(other) && other !== name && !only.includes(other))
    const idle = [...given].find(isIdle)
    if (idle !== undefined) return refused(`${idle} with ${name}: it has no effect there, leave it out`)
  }
  return undefined
}

/** An option or an argument, without a value. */
function isFlag(name: string): boolean {
  return /^(--\S+|<\S+>)$/.test(name)
}

function oneOf(names: readonly string[]): string {
  return names.length === 1 ? names.join('') : 'one of them'
}
