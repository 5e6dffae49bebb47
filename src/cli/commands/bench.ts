/** `yolo-edge bench`: how fast models are on this machine, side by side. */

import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { Command } from 'commander'
import { quantileOf } from '../../base/numeric.js'
import { systemClock } from '../../base/clock.js'
import { openPictures } from '../dataset/open-dataset.js'
import { measureSpeed, type SpeedMeasurement } from '../measure/measure-speed.js'
import { pictureFrames, picturesMost } from '../measure/speed-frames.js'
import { readDetectorFile } from '../model-file.js'
import { type InputSize, integerOption, settingOption, sizeHelp, sizeOption } from '../options.js'
import { type OptionRules, withRules } from '../option-rules.js'
import { processOutput, table } from '../output.js'
import { bundleFolder, bundleGiven } from '../bundle/bundle-given.js'
import { benchVariants } from '../selection/bench-variants.js'

interface Options {
  readonly threads?: number
  readonly size?: InputSize
  readonly sessions: number
  readonly rounds: number
  readonly frames: number
  readonly picture?: string
  readonly spin?: boolean
  readonly provider?: readonly string[]
  readonly json?: boolean
  readonly allVariants?: boolean
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  readonly golden?: string
  readonly root?: string
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('Measure models side by side on this machine: from a frame in memory to boxes.')
    .argument(
      '<model...>',
      'YOLOv8 detectors, as .onnx or BUNDLE/VARIANT, each compared with the first; with --all-variants one BUNDLE',
    )
    .option(
      '--threads <count>',
      'threads of one inference (default: every core)',
      integerOption('threads', 1, 256),
    )
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option(
      '--sessions <count>',
      'sessions of a model that work at the same time',
      integerOption('sessions', 1, 64),
      1,
    )
    .option('--rounds <count>', 'turns of every model', integerOption('rounds', 3, 100_000), 40)
    .option('--frames <count>', 'frames of a session in one turn', integerOption('frames', 1, 10_000), 2)
    .option(
      '--picture <path>',
      'a picture to look at, or a folder of some to take turns (default: noise in which nothing is found)',
    )
    .option('--provider <name...>', 'execution providers, best first (default: cpu)')
    .option('--spin', 'threads of a session spin while they wait: faster alone, slower beside others')
    .option('--all-variants', 'measure as the trial of a device does, each variant in a process, and choose')
    .option('-c, --config <file>', 'with --all-variants: YAML or JSON file of settings')
    .option(
      '--set <section.key=value>',
      'with --all-variants: one setting, such as selection.policy=latency-first; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .option('--golden <data>', 'with --all-variants: labelled pictures, where the bundle brings none')
    .option('--root <folder>', 'with --all-variants: take what is eligible from a copied file tree')
    .option('--json', 'print JSON')
  return withRules(command, rules, bundleGiven).action(bench)
}

const ofVariants = ['--config', '--set', '--golden', '--root']
const rules: OptionRules = {
  '--all-variants': { only: [...ofVariants, '--json', '<model>'] },
  ...Object.fromEntries(ofVariants.map((flag) => [flag, { needs: ['--all-variants'] }])),
  [bundleFolder]: { excludes: ['--golden'] },
}

async function bench(paths: string[], options: Options): Promise<void> {
  if (options.allVariants === true) return benchVariants(paths, options)
  const output = processOutput(options.json ?? false)
  const files = await Promise.all(paths.map((path) => readDetectorFile(path, options.size)))
  const threads = options.threads ?? availableParallelism()
  const pictures =
    options.picture === undefined
      ? []
      : (await openPictures(options.picture, { note: output.note }, picturesMost)).paths
  const progress = output.progress('measuring')
  const measured = await measureSpeed(files, {
    rounds: options.rounds,
    sessions: options.sessions,
    framesPerTurn: options.frames,
    session: {
      intraOpThreads: threads,
      allowSpinning: options.spin ?? false,
      ...(options.provider !== undefined && { providers: options.provider }),
    },
    framesOf: pictureFrames(pictures),
    onProgress: (done, total) => {
      progress.update(done / total)
    },
    clock: systemClock,
  })
  progress.done()
  output.result({
    threads,
    sessions: options.sessions,
    rounds: options.rounds,
    models: measured.map((each, index) => wireOf(paths[index]!, files[index]!.bytes.byteLength, each)),
  })
  const rows = measured.map((each, index) => rowOf(paths[index]!, each))
  const seen =
    options.picture === undefined ? 'noise, in which nothing is found' : `pictures of ${options.picture}`
  output.line(`${threads} threads, ${options.sessions} sessions, ${options.rounds} rounds; ${seen}`)
  output.line(
    table([['model', 'ms a frame', 'p50', 'p95', 'times the first', 'half of the rounds'], ...rows]),
  )
}

function rowOf(path: string, { perFrameMs, latencyMs, ratios }: SpeedMeasurement): readonly string[] {
  return [
    basename(path),
    quantileOf(perFrameMs, 0.5).toFixed(2),
    quantileOf(latencyMs, 0.5).toFixed(2),
    quantileOf(latencyMs, 0.95).toFixed(2),
    quantileOf(ratios, 0.5).toFixed(3),
    `${quantileOf(ratios, 0.25).toFixed(3)} .. ${quantileOf(ratios, 0.75).toFixed(3)}`,
  ]
}

function wireOf(path: string, sizeBytes: number, measured: SpeedMeasurement): object {
  const { perFrameMs, latencyMs, ratios } = measured
  return {
    model: path,
    size_bytes: sizeBytes,
    frame_ms: { p50: quantileOf(perFrameMs, 0.5), best: Math.min(...perFrameMs) },
    latency_ms: { p50: quantileOf(latencyMs, 0.5), p95: quantileOf(latencyMs, 0.95) },
    ratio: {
      p25: quantileOf(ratios, 0.25),
      p50: quantileOf(ratios, 0.5),
      p75: quantileOf(ratios, 0.75),
    },
  }
}
