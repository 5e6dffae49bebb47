/** `yolo-edge compare`: two models side by side: accuracy with its confidence interval, class by class, size and speed. */

import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { Command } from 'commander'
import { quantileOf } from '../../base/numeric.js'
import { systemClock } from '../../base/clock.js'
import { type AccuracyDifference, bootstrapDifference } from '../../evaluation/bootstrap.js'
import type { ImageMatches } from '../../evaluation/match-image.js'
import { type Dataset, tellLeftOut, wireDataset } from '../dataset/dataset.js'
import { openDataset } from '../dataset/open-dataset.js'
import { type AccuracyMeasurement, measureAccuracy, tellCutScores } from '../measure/measure-accuracy.js'
import { measureSpeed } from '../measure/measure-speed.js'
import { pictureFrames } from '../measure/speed-frames.js'
import { type DetectorFile, readDetectorFile, requireSameClasses } from '../model-file.js'
import { type InputSize, integerOption, sizeHelp, sizeOption, strictMeaning } from '../options.js'
import { type Output, processOutput, table } from '../output.js'

interface Options {
  readonly val: string
  readonly threads?: number
  readonly size?: InputSize
  readonly rounds: number
  readonly strict?: boolean
  readonly json?: boolean
}

/** Resamples of the interval of one class: it has few objects, so more would not make it surer. */
const classResamples = 300

export function compareCommand(): Command {
  return new Command('compare')
    .description('Compare two models on the same pictures: accuracy, each class, size and speed.')
    .argument('<a>', 'a YOLOv8 detector as .onnx, or BUNDLE/VARIANT')
    .argument('<b>', 'another one with the same classes')
    .requiredOption('--val <path>', 'a folder of pictures and labels, instances.json, or data.yaml')
    .option(
      '--threads <count>',
      'threads of one inference (default: every core)',
      integerOption('threads', 1, 256),
    )
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option('--rounds <count>', 'turns of both for their speed', integerOption('rounds', 3, 100_000), 40)
    .option('--strict', strictMeaning)
    .option('--json', 'print JSON')
    .action(compare)
}

interface ClassRow {
  readonly name: string
  readonly groundTruths: number
  readonly first: number
  readonly second: number
  readonly difference: AccuracyDifference
}

async function compare(a: string, b: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const files = [await readDetectorFile(a, options.size), await readDetectorFile(b, options.size)] as const
  const { classNames } = files[0].description
  requireSameClasses([a, b].map((path, index) => ({ path, ...files[index]! })))
  const dataset = await openDataset(options.val, classNames, { note: output.note, strict: options.strict })
  const session = { intraOpThreads: options.threads ?? availableParallelism() }
  const accuracies: AccuracyMeasurement[] = []
  for (const [index, file] of files.entries()) {
    const progress = output.progress(basename([a, b][index]!))
    const told = (done: number, total: number): void => {
      progress.update(done / total, `${done} of ${total} pictures`)
    }
    const accuracy = await measureAccuracy(file, dataset, session, told)
    progress.done()
    tellCutScores([a, b][index]!, file.description, accuracy, output.note)
    accuracies.push(accuracy)
  }
  tellLeftOut(accuracies[0]!.unreadable, output.note)
  const [first, second] = accuracies as [AccuracyMeasurement, AccuracyMeasurement]
  const speeds = await measureSpeed(files, {
    rounds: options.rounds,
    sessions: 1,
    framesPerTurn: 1,
    session,
    framesOf: pictureFrames(dataset.images.map(({ path }) => path)),
    onProgress: () => undefined,
    clock: systemClock,
  })
  const result: Comparison = {
    paths: [a, b],
    files,
    accuracies: [first, second],
    map: bootstrapDifference(first.matches, second.matches),
    map50: bootstrapDifference(first.matches, second.matches, { metric: 'map50' }),
    ms: [quantileOf(speeds[0]!.perFrameMs, 0.5), quantileOf(speeds[1]!.perFrameMs, 0.5)],
    ratio: speeds[1]!.ratios,
    classes: classRows(classNames, first, second),
  }
  output.result(wireOf(options.val, dataset, result))
  print(output, result)
}

/** Classes that the pictures have, the largest loss first. */
function classRows(
  classNames: readonly string[],
  first: AccuracyMeasurement,
  second: AccuracyMeasurement,
): readonly ClassRow[] {
  const others = new Map(second.metrics.perClass.map((each) => [each.classIndex, each]))
  return first.metrics.perClass
    .map(({ classIndex, groundTruths, ap }): ClassRow => ({
      name: classNames[classIndex]!,
      groundTruths,
      first: ap,
      second: others.get(classIndex)?.ap ?? 0,
      difference: bootstrapDifference(
        ofClass(first.matches, classIndex),
        ofClass(second.matches, classIndex),
        { resamples: classResamples },
      ),
    }))
    .sort((a, b) => a.second - a.first - (b.second - b.first))
}

function ofClass(images: readonly ImageMatches[], classIndex: number): readonly ImageMatches[] {
  const only = (list: ImageMatches['all']): ImageMatches['all'] =>
    list.filter((each) => each.classIndex === classIndex)
  return images.map(({ all, small, medium, large }) => ({
    all: only(all),
    small: only(small),
    medium: only(medium),
    large: only(large),
  }))
}

interface Comparison {
  readonly paths: readonly [string, string]
  readonly files: readonly [DetectorFile, DetectorFile]
  readonly accuracies: readonly [AccuracyMeasurement, AccuracyMeasurement]
  readonly map: AccuracyDifference
  readonly map50: AccuracyDifference
  readonly ms: readonly [number, number]
  /** Time of the first by that of the second, by round. */
  readonly ratio: readonly number[]
  readonly classes: readonly ClassRow[]
}

function print(output: Output, comparison: Comparison): void {
  const { paths, files, accuracies, map, map50, ms, ratio, classes } = comparison
  const [{ metrics: one }, { metrics: two }] = accuracies
  const mega = (bytes: number): string => (bytes / 1e6).toFixed(2)
  output.line(`${one.images} pictures, ${one.groundTruths} objects`)
  output.line(
    table([
      ['', basename(paths[0]), basename(paths[1]), 'second against first'],
      ['mAP50-95', one.map.toFixed(4), two.map.toFixed(4), differenceText(map)],
      ['mAP50', one.map50.toFixed(4), two.map50.toFixed(4), differenceText(map50)],
      ['recall', one.recall100.toFixed(4), two.recall100.toFixed(4), ''],
      [
        'input',
        ...files.map(({ description: { inputWidth, inputHeight } }) => `${inputWidth}x${inputHeight}`),
        '',
      ],
      ['MB', mega(files[0].bytes.byteLength), mega(files[1].bytes.byteLength), ''],
      [
        'ms a frame',
        ms[0].toFixed(2),
        ms[1].toFixed(2),
        `${quantileOf(ratio, 0.5).toFixed(3)} times as fast (${quantileOf(ratio, 0.25).toFixed(3)} .. ${quantileOf(ratio, 0.75).toFixed(3)})`,
      ],
    ]),
  )
  const rows = classes.map(({ name, groundTruths, first, second, difference }) => [
    name,
    String(groundTruths),
    first.toFixed(4),
    second.toFixed(4),
    differenceText(difference),
  ])
  output.line(`\n${table([['class', 'objects', 'AP first', 'AP second', 'second against first'], ...rows])}`)
}

/** `-0.0031 (-0.0072 .. +0.0010)`: the 95 % interval of a paired bootstrap. */
function differenceText({ difference, low, high }: AccuracyDifference): string {
  const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(4)}`
  return `${signed(difference)} (${signed(low)} .. ${signed(high)})`
}

function wireOf(path: string, dataset: Dataset, comparison: Comparison): object {
  const { paths, files, accuracies, map, map50, ms, ratio, classes } = comparison
  const wireDifference = ({ difference, low, high }: AccuracyDifference): object => ({
    difference,
    low,
    high,
  })
  return {
    dataset: path,
    ...wireDataset(dataset, comparison.accuracies[0].unreadable),
    models: paths.map((path, index) => ({
      model: path,
      size_bytes: files[index]!.bytes.byteLength,
      map: accuracies[index]!.metrics.map,
      map50: accuracies[index]!.metrics.map50,
      frame_ms: ms[index],
    })),
    map: wireDifference(map),
    map50: wireDifference(map50),
    speed_up: { p25: quantileOf(ratio, 0.25), p50: quantileOf(ratio, 0.5), p75: quantileOf(ratio, 0.75) },
    per_class: classes.map(({ name, groundTruths, first, second, difference }) => ({
      name,
      ground_truths: groundTruths,
      ap: [first, second],
      ...wireDifference(difference),
    })),
  }
}
