/**
 * The options of `--int8`, from a plan file and the command line.
 * Invariant: nothing that belongs to integers is taken without them; what a plan file says loses against the command line.
 */

import type { Command } from 'commander'
import { AgentError } from '../../base/errors.js'
import {
  type CalibrationMethod,
  calibrationMethods,
} from '../../compress/quantization/calibration/range-methods.js'
import { type Rounding, roundings } from '../../compress/quantization/quantize.js'
import {
  fleetTargets,
  int8Target,
  int8Targets,
  type Int8TargetName,
} from '../../compress/quantization/targets.js'
import type { OptionRules } from '../option-rules.js'
import { choiceOption, integerOption, numberOption } from '../options.js'
import { defaultMinAgreement } from './check-verdict.js'
import type { Int8Options } from './int8-step.js'
import type { PlanSection } from './plan-file.js'

/** What {@link withInt8Options} adds to the options of a command. */
export interface GivenInt8Options {
  readonly int8?: boolean
  readonly target?: readonly Int8TargetName[]
  readonly method?: CalibrationMethod
  readonly bits?: number
  readonly rounding?: Rounding
  readonly maxDrop?: number
  readonly sensitivity?: boolean
  readonly biasCorrection: boolean
  readonly minAgreement?: number
}

const targetNames = Object.keys(int8Targets) as readonly Int8TargetName[]

/** Adds the options that say how a model becomes one of integers. */
export function withInt8Options(command: Command): Command {
  return command
    .option('--int8', 'compute on 8-bit integers; needs --calib')
    .option(
      '--target <name>',
      `the hardware of an int8 model: ${targetNames.join(', ')}; may be repeated (default: ${fleetTargets.join(', ')})`,
      targetOption,
    )
    .option(
      '--method <name>',
      `how ranges are chosen: ${calibrationMethods.join(', ')} (default: silu)`,
      choiceOption('method', calibrationMethods),
    )
    .option('--bits <count>', 'bits of a weight (default: 8, or 7 for x64)', integerOption('bits', 2, 8))
    .option(
      '--rounding <name>',
      `how weights are rounded: ${roundings.join(', ')} (default: compensated below 8 bits)`,
      choiceOption('rounding', roundings),
    )
    .option(
      '--max-drop <difference>',
      'largest loss of mAP50-95 and mAP50, e.g. 0.005; as few layers as possible stay float for it',
      numberOption('max-drop', 0, 1),
    )
    .option('--sensitivity', 'rank the layers in the report')
    .option('--no-bias-correction', 'leave the biases as they are')
    .option(
      '--min-agreement <f1>',
      `the least agreement of int8 with float: F1 of what they find in the self-check (default: ${defaultMinAgreement})`,
      numberOption('min-agreement', 0, 1),
    )
}

/** Collects `--target x64 --target arm64`, or both with a comma. Throws `cli.argument_invalid` for one that is there already. */
function targetOption(text: string, earlier: readonly Int8TargetName[] = []): readonly Int8TargetName[] {
  const parse = choiceOption('target', targetNames)
  return text.split(',').reduce((targets, name) => {
    const target = parse(name.trim())
    if (!targets.includes(target)) return [...targets, target]
    throw new AgentError(
      'cli.argument_invalid',
      `--target ${target} is given twice, expected each target once`,
    )
  }, earlier)
}

/** Parsers of the keys that the section `int8` of a plan file may have. */
const planKeys: Readonly<Record<string, (text: string) => unknown>> = {
  target: (text) => targetOption(text),
  method: choiceOption('int8.method', calibrationMethods),
  bits: integerOption('int8.bits', 2, 8),
  rounding: choiceOption('int8.rounding', roundings),
}

/** The options together with what the section `int8` of a plan file says and the command line does not. */
export function withPlan<T extends GivenInt8Options>(given: T, section: PlanSection | undefined): T {
  if (section === undefined) return given
  const planned: Record<string, unknown> = { int8: true }
  for (const [key, value] of Object.entries(section)) {
    const parse = planKeys[key]
    if (parse === undefined) {
      const known = Object.keys(planKeys).join(', ')
      throw new AgentError(
        'compress.plan_invalid',
        `the section int8 has a key ${key}, expected some of ${known}`,
      )
    }
    if (given[key as keyof T] === undefined) planned[key] = parse(String(value))
  }
  return { ...given, ...planned }
}

/** What the step does; undefined without `--int8`. */
export function int8OptionsOf(given: GivenInt8Options): Int8Options | undefined {
  const { int8, target, method, bits, rounding, maxDrop, sensitivity, biasCorrection } = given
  if (int8 !== true) return undefined
  return {
    targets: (target ?? fleetTargets).map(int8Target),
    method: method ?? 'silu',
    biasCorrection,
    maxDrop,
    sensitivity: sensitivity ?? false,
    ...(bits !== undefined && { weightBits: bits }),
    ...(rounding !== undefined && { rounding }),
  }
}

const ofInt8 = [
  '--target',
  '--method',
  '--bits',
  '--rounding',
  '--max-drop',
  '--sensitivity',
  '--no-bias-correction',
  '--min-agreement',
]

/** What the options of {@link withInt8Options} need. */
export const int8Rules: OptionRules = {
  '--int8': {
    needs: ['--calib'],
    hint: 'a hundred pictures from the cameras where the model will work are enough; no labels are needed',
  },
  ...Object.fromEntries(ofInt8.map((flag) => [flag, { needs: ['--int8'] }])),
}
