/** The options of every command that trains: `train`, `finetune`, `distil` and `qat`. */

import type { Command } from 'commander'
import { integerOption, numberOption, strictMeaning } from '../options.js'

export interface TrainingOptions {
  readonly out: string
  readonly epochs: number
  readonly batch: number
  readonly rate: number
  readonly seed: number
  readonly threads?: number
  /** Undefined where nobody gave it: then `measureEvery` of {@link TrainingDefaults} holds. */
  readonly measureEvery?: number
  readonly strict?: boolean
  readonly json?: boolean
}

/** What a command does unless it is told. */
export interface TrainingDefaults {
  readonly epochs: number
  readonly batch: number
  readonly rate: number
  /** Epochs. */
  readonly measureEvery: number
  /** What the seed decides, behind "of". */
  readonly seedOf: string
}

/** Adds them to `command`. */
export function withTrainingOptions(command: Command, defaults: TrainingDefaults): Command {
  return command
    .requiredOption('-o, --out <file>', 'the model to write; beside it FILE.checkpoint while the run lasts')
    .option(
      '--epochs <count>',
      'how often each picture is learned from',
      numberOption('epochs', 0.001, 10_000),
      defaults.epochs,
    )
    .option('--batch <count>', 'pictures in a step', integerOption('batch', 1, 256), defaults.batch)
    .option('--rate <number>', 'largest learning rate (AdamW)', numberOption('rate', 1e-8, 1), defaults.rate)
    .option('--seed <number>', `of ${defaults.seedOf}`, integerOption('seed', 0, 2 ** 31 - 1), 1)
    .option(
      '--threads <count>',
      'threads that compute (default: every core)',
      integerOption('threads', 1, 256),
    )
    .option(
      '--measure-every <epochs>',
      `epochs between two measurements (default: ${defaults.measureEvery})`,
      numberOption('measure-every', 0.001, 1e6),
    )
    .option('--strict', strictMeaning)
    .option('--json', 'print JSON')
}
