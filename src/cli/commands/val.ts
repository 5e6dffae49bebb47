/** `yolo-edge val`: the accuracy of models on labelled pictures, and how sure their difference is. */

import { basename } from 'node:path'
import { Command } from 'commander'
import { type AccuracyDifference, bootstrapDifference } from '../../evaluation/bootstrap.js'
import { tellLeftOut, wireDataset } from '../dataset/dataset.js'
import { openDataset } from '../dataset/open-dataset.js'
import { type AccuracyMeasurement, measureAccuracy, tellCutScores } from '../measure/measure-accuracy.js'
import { readDetectorFile, requireSameClasses } from '../model-file.js'
import { type InputSize, integerOption, sizeHelp, sizeOption, strictMeaning } from '../options.js'
import { type Output, processOutput, table } from '../output.js'

interface Options {
  readonly data: string
  readonly threads?: number
  readonly size?: InputSize
  readonly perClass?: boolean
  readonly strict?: boolean
  readonly json?: boolean
}

export function valCommand(): Command {
  return new Command('val')
    .description('Measure the accuracy of models on labelled pictures: mAP as COCO defines it.')
    .argument('<model...>', 'YOLOv8 detectors, as .onnx or BUNDLE/VARIANT; each is compared with the first')
    .requiredOption('-d, --data <path>', 'a folder of pictures and labels, instances.json, or data.yaml')
    .option(
      '--threads <count>',
      'threads of one inference (default: every core)',
      integerOption('threads', 1, 256),
    )
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option('--per-class', 'the figures of each class')
    .option('--strict', strictMeaning)
    .option('--json', 'print JSON')
    .action(val)
}

interface Measured extends AccuracyMeasurement {
  readonly path: string
  readonly classNames: readonly string[]
  /** Against the first model: 95 % interval of a paired bootstrap. */
  readonly map: AccuracyDifference | undefined
  readonly map50: AccuracyDifference | undefined
}

async function val(paths: string[], options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const files = await Promise.all(paths.map((path) => readDetectorFile(path, options.size)))
  requireSameClasses(paths.map((path, index) => ({ path, ...files[index]! })))
  const dataset = await openDataset(options.data, files[0]!.description.classNames, {
    note: output.note,
    strict: options.strict,
  })
  const session = options.threads === undefined ? {} : { intraOpThreads: options.threads }
  const measured: Measured[] = []
  for (const [index, file] of files.entries()) {
    const path = paths[index]!
    const progress = output.progress(basename(path))
    const accuracy = await measureAccuracy(file, dataset, session, (done, total) => {
      progress.update(done / total, `${done} of ${total} pictures`)
    })
    progress.done()
    if (index === 0) tellLeftOut(accuracy.unreadable, output.note)
    tellCutScores(path, file.description, accuracy, output.note)
    const first = measured[0]?.matches
    measured.push({
      ...accuracy,
      path,
      classNames: file.description.classNames,
      map: first && bootstrapDifference(first, accuracy.matches),
      map50: first && bootstrapDifference(first, accuracy.matches, { metric: 'map50' }),
    })
  }
  output.result({
    dataset: options.data,
    ...wireDataset(dataset, measured[0]!.unreadable),
    models: measured.map(wireOf),
  })
  printTable(output, measured)
  if (options.perClass === true) for (const each of measured) output.line(`\n${classTable(each)}`)
}

function printTable(output: Output, measured: readonly Measured[]): void {
  const rows = measured.map(({ path, metrics, map, map50 }) => [
    basename(path),
    metrics.map.toFixed(4),
    metrics.map50.toFixed(4),
    metrics.recall100.toFixed(4),
    map === undefined ? '' : differenceText(map),
    map50 === undefined ? '' : differenceText(map50),
  ])
  const head = [
    'model',
    'mAP50-95',
    'mAP50',
    'recall',
    'mAP50-95 against the first',
    'mAP50 against the first',
  ]
  const { images, groundTruths } = measured[0]!.metrics
  output.line(`${images} pictures, ${groundTruths} objects`)
  const width = measured.length > 1 ? head.length : head.length - 2
  output.line(table([head, ...rows].map((row) => row.slice(0, width))))
}

/** `-0.0031 (-0.0072 .. +0.0010)`. */
function differenceText({ difference, low, high }: AccuracyDifference): string {
  const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(4)}`
  return `${signed(difference)} (${signed(low)} .. ${signed(high)})`
}

function classTable({ path, classNames, metrics }: Measured): string {
  const rows = metrics.perClass.map(({ classIndex, groundTruths, ap, ap50, recall }) => [
    classNames[classIndex]!,
    String(groundTruths),
    ap.toFixed(4),
    ap50.toFixed(4),
    recall.toFixed(4),
  ])
  return table([[basename(path), 'objects', 'AP50-95', 'AP50', 'recall'], ...rows])
}

function wireOf({ path, metrics, classNames, map, map50 }: Measured): object {
  const { perClass, ...figures } = metrics
  return {
    model: path,
    map: figures.map,
    map50: figures.map50,
    map75: figures.map75,
    map_small: figures.mapSmall,
    map_medium: figures.mapMedium,
    map_large: figures.mapLarge,
    recall100: figures.recall100,
    images: figures.images,
    ground_truths: figures.groundTruths,
    ...(map !== undefined &&
      map50 !== undefined && { against_first: { map: wireDifference(map), map50: wireDifference(map50) } }),
    per_class: perClass.map(({ classIndex, groundTruths, ap, ap50 }) => ({
      name: classNames[classIndex],
      ground_truths: groundTruths,
      ap,
      ap50,
    })),
  }
}

function wireDifference({ difference, low, high, standardError }: AccuracyDifference): object {
  return { difference, low, high, standard_error: standardError }
}
