/** The rules of all commands: each names options that are there, and each refuses what it says, on a real command line. */

import type { Command } from 'commander'
import t from 'tap'
import { bundleFolder } from '../../src/cli/bundle/bundle-given.js'
import { type OptionRule, refusalOf, rulesOf } from '../../src/cli/option-rules.js'
import { program } from '../../src/cli/program.js'

/** `rollout start` and its like as well. */
function commandsBelow(
  command: Command,
  path: readonly string[] = [],
): readonly (readonly [string[], Command])[] {
  return command.commands.flatMap((each) => {
    const own = [...path, each.name()]
    return each.commands.length > 0 ? commandsBelow(each, own) : [[own, each] as const]
  })
}

const ruled = commandsBelow(program())
  .map(([path, command]) => ({ path, command, rules: Object.entries(rulesOf(command)) }))
  .filter(({ rules }) => rules.length > 0)

const folder = t.testdir({ 'picture.png': '' })

/** What a command finds to be given beside options: the arguments that make it so. */
const states: Readonly<Record<string, string>> = {
  [bundleFolder]: folder,
  pictures: `${folder}/picture.png`,
}

/** Values of options that do not take any text. */
const values: Readonly<Record<string, string>> = {
  '--artefact': 'hef=hailo8,hailort,4.20.0',
  '--bits': '4',
  '--budget': 'ms<=20',
  '--every': '1h',
  '--expires': '1d',
  '--frames': '3',
  '--golden-images': '3',
  '--halt-on-failures': '5%',
  '--images': '16',
  '--max-drop': '0.1',
  '--method': 'percentile',
  '--min-agreement': '0.9',
  '--min-devices': '2',
  '--percent': '5',
  '--prune': 'macs=0.5',
  '--rounding': 'nearest',
  '--rounds': '4',
  '--seed': '4',
  '--sequence': '4',
  '--sessions': '2',
  '--set': 'log.level=debug',
  '--size': '64',
  '--sparsity': '0.5',
  '--steps': '5,100',
  '--target': 'x64',
  '--threads': '1',
  '--threshold': '0.1',
}

/** The words that give `name`, which is an option, an option with its value, an argument or a state. */
function wordsOf(command: Command, name: string): readonly string[] {
  if (name in states) return [states[name]!]
  if (name.startsWith('<')) return ['x']
  const [flag = '', value] = name.split(' ')
  const option = command.options.find(({ long }) => long === flag)
  if (option === undefined) throw new Error(`${command.name()} has no option ${flag}`)
  return option.required || option.optional ? [flag, value ?? values[flag] ?? 'x'] : [flag]
}

/** Parses `yolo-edge ...` as the program does, as far as its action; gives what it throws. */
async function refusalWith(
  path: readonly string[],
  command: Command,
  names: readonly string[],
): Promise<unknown> {
  const needed = command.options.filter(({ mandatory, long }) => mandatory && !names.includes(long!))
  const free = names.filter((name) => name in states || name.startsWith('<'))
  const required = command.registeredArguments.filter((argument) => argument.required).slice(free.length)
  const options = [...names.filter((name) => !free.includes(name)), ...needed.map(({ long }) => long!)]
  const words = [
    ...path,
    ...options.flatMap((name) => wordsOf(command, name)),
    // Behind an option that takes several values.
    '--',
    ...free.flatMap((name) => wordsOf(command, name)),
    ...required.map(() => 'x'),
  ]
  return program()
    .parseAsync(words, { from: 'user' })
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
}

t.test('commands that have rules', (t) => {
  const names = ruled.map(({ path }) => path.join(' '))
  for (const name of ['compress', 'publish', 'bench', 'rollout start', 'rollback', 'detect'])
    t.ok(names.includes(name), name)
  t.end()
})

for (const { path, command, rules } of ruled) {
  t.test(`rules of ${path.join(' ')}`, async (t) => {
    const flags = command.options.map(({ long }) => long!)
    const known = (name: string): boolean =>
      name in states ||
      flags.includes(name.split(' ')[0]!) ||
      command.registeredArguments.some((argument) => `<${argument.name()}>` === name)
    const refuses = async (names: readonly string[], told: RegExp): Promise<void> => {
      const thrown = await refusalWith(path, command, names)
      t.match(thrown, { code: 'cli.argument_invalid', message: told }, names.join(' '))
    }
    for (const [name, rule] of rules) {
      const { needs, excludes = [], only }: OptionRule = rule
      for (const other of [name, ...(needs ?? []), ...excludes, ...(only ?? [])]) t.ok(known(other), other)
      if (needs !== undefined) {
        await refuses([name], new RegExp(`^${name} without ${needs.join(' or ')}: `))
        for (const other of needs) t.equal(refusalOf({ [name]: rule }, new Set([name, other])), undefined)
      }
      for (const other of excludes) await refuses([name, other], new RegExp(`^${other} with(out)? `))
      if (only === undefined) continue
      for (const other of flags.filter((flag) => flag !== name && !only.includes(flag)))
        await refuses([name, other], new RegExp(`^(${other} with(out)? |.* with(out)? ${name}: )`))
      t.equal(refusalOf({ [name]: rule }, new Set([name, ...only])), undefined)
    }
  })
}

t.test('what is not given asks for nothing, and a hint goes along', (t) => {
  const rules = { '--every': { needs: ['--steps'], hint: 'such as --steps 5,100' } }
  t.equal(refusalOf(rules, new Set(['--percent'])), undefined)
  t.match(refusalOf(rules, new Set(['--every'])), {
    message: '--every without --steps: expected --steps as well',
    hint: 'such as --steps 5,100',
  })
  t.match(refusalOf({ '--a': { needs: ['--b', '--c'] } }, new Set(['--a'])), {
    message: '--a without --b or --c: expected one of them as well',
  })
  t.match(refusalOf({ '--a': { only: ['--b'] } }, new Set(['--a', '--a x', '--b', '<file>'])), {
    message: '<file> with --a: it has no effect there, leave it out',
  })
  t.end()
})
