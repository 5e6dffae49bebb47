/**
 * The tables of results: accuracy, size and speed of the variants of YOLOv8n beside other int8 files of it, and of the
 * project's own model.
 * Run: npm run bench:report -- --bundle FOLDER [--peer FILE ...] [--rounds 30] [--write] [--readme]
 * FOLDER is what `yolo-edge search YOLOV8N.onnx --budget ...` wrote; its variants are read from its packed files.
 * All models of one table take turns in one process. --write puts the tables into the part of test/bench/results.md for
 * what int8 is made for on this machine; --readme puts them into README.md.
 */

import { availableParallelism, cpus, tmpdir } from 'node:os'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { quantileOf } from '../../src/base/numeric.js'
import { systemClock } from '../../src/base/clock.js'
import { readBundle } from '../../src/cli/bundle/bundle-folder.js'
import { openDataset } from '../../src/cli/dataset/open-dataset.js'
import { machineTarget } from '../../src/cli/compress/machine-target.js'
import { writeConveyor } from '../../src/cli/training/write-conveyor.js'
import { type AccuracyMeasurement, measureAccuracy } from '../../src/cli/measure/measure-accuracy.js'
import { measureSpeed } from '../../src/cli/measure/measure-speed.js'
import { pictureFrames } from '../../src/cli/measure/speed-frames.js'
import { type DetectorFile, readDetectorFile } from '../../src/cli/model-file.js'
import { bootstrapDifference } from '../../src/evaluation/bootstrap.js'
import { writeOrAddSection, writeSection } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'

interface Model {
  readonly name: string
  readonly path: string
}

const { values } = parseArgs({
  options: {
    bundle: { type: 'string' },
    peer: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '30' },
    write: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
  },
})
if (values.bundle === undefined) throw new TypeError('give the bundle of YOLOv8n: --bundle FOLDER')
const threads = availableParallelism()
const text = [
  await yolov8n(values.bundle),
  await ownModel(),
  `${cpus()[0]!.model}, ${threads} threads, Node.js ${process.version}; uint8 frame in, boxes out, models in turns; median and the middle half of the rounds.`,
].join('\n\n')
console.log(text)
if (values.write) {
  const target = await machineTarget()
  const page = join(projectRoot, 'test', 'bench', 'results.md')
  await writeOrAddSection(page, { name: target, title: `Target \`${target}\`` }, text)
}
if (values.readme) await writeSection(join(projectRoot, 'README.md'), 'results', text)

async function yolov8n(bundle: string): Promise<string> {
  const { manifest } = await readBundle(bundle)
  const peers = readdirSync(shared('models', 'peers'))
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => shared('models', 'peers', name))
  const models: readonly Model[] = [
    { name: 'float export', path: shared('models', 'yolov8n.onnx') },
    ...manifest.variants
      .filter(({ id }) => !id.includes('arm64') && !id.includes('tensorrt'))
      .map(({ id }) => ({ name: id, path: join(bundle, id) })),
    ...[...values.peer, ...peers].map((path) => ({ name: `other: ${basename(path, '.onnx')}`, path })),
  ]
  return `YOLOv8n, COCO val2017 pictures that no variant was calibrated on:\n\n${await tableOf(models, shared('coco', 'val'))}`
}

async function ownModel(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-report-'))
  try {
    // As `yolo-edge generate` does: the pictures to measure with come after those that the model learnt from.
    const counts = { train: 2000, val: 300, golden: 24 }
    await writeConveyor(folder, { counts, size: 320, seed: 1 }, () => undefined)
    const names = ['parts', 'parts-int8', 'parts-pruned', 'parts-pruned-int8']
    const models = names.map((name) => ({ name, path: join(projectRoot, 'models', 'parts', `${name}.onnx`) }))
    return `The project's own model, parts on a conveyor:\n\n${await tableOf(models, folder)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The first model is what the others are compared with. */
async function tableOf(models: readonly Model[], data: string): Promise<string> {
  const files: DetectorFile[] = []
  for (const { path } of models) files.push(await readDetectorFile(path))
  const dataset = await openDataset(data, files[0]!.description.classNames, { note: console.error })
  const accuracies: AccuracyMeasurement[] = []
  for (const file of files)
    accuracies.push(await measureAccuracy(file, dataset, { intraOpThreads: threads }, () => undefined))
  const speeds = await measureSpeed(files, {
    rounds: Number(values.rounds),
    sessions: 1,
    framesPerTurn: 2,
    session: { intraOpThreads: threads, allowSpinning: false },
    framesOf: pictureFrames(dataset.images.map(({ path }) => path)),
    onProgress: () => undefined,
    clock: systemClock,
  })
  const rows = models.map(({ name }, index) => {
    const { bytes, description } = files[index]!
    const { metrics, matches } = accuracies[index]!
    const { perFrameMs, ratios } = speeds[index]!
    const { difference, low, high } = bootstrapDifference(accuracies[0]!.matches, matches)
    const cells = [
      name,
      `${description.inputWidth}x${description.inputHeight}`,
      (bytes.byteLength / 1e6).toFixed(2),
      points(metrics.map),
      points(metrics.map50),
      index === 0 ? '' : `${signed(difference)} (${signed(low)} .. ${signed(high)})`,
      quantileOf(perFrameMs, 0.5).toFixed(1),
      index === 0
        ? ''
        : `${quantileOf(ratios, 0.5).toFixed(2)} (${quantileOf(ratios, 0.25).toFixed(2)} .. ${quantileOf(ratios, 0.75).toFixed(2)})`,
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| model | input | MB | mAP50-95 | mAP50 | points against float (95 %) | ms | times as fast |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function points(value: number): string {
  return (100 * value).toFixed(2)
}

function signed(value: number): string {
  return `${value >= 0 ? '+' : ''}${points(value)}`
}
