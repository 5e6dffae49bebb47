/** `yolo-edge detect`: finds objects in a picture, a folder of pictures, or a video, without any broker. */

import { stat } from 'node:fs/promises'
import { extname, join, relative, resolve } from 'node:path'
import { Command } from 'commander'
import { addressOf } from '../../base/address.js'
import { systemClock } from '../../base/clock.js'
import { AgentError, isAgentError } from '../../base/errors.js'
import { Histogram } from '../../base/histogram.js'
import { isImagePath, listImages } from '../../camera/image-files.js'
import { openSource } from '../../camera/open-source.js'
import { readRgb } from '../../camera/read-image.js'
import { readFrame } from '../../camera/shared-frame.js'
import { savePicture } from '../../camera/save-picture.js'
import { type Detector, openDetector } from '../../runtime/detector.js'
import { distinctNames } from '../../yolo/class-names.js'
import { type Detection, type DetectionOptions, predictionOptions } from '../../yolo/detection.js'
import type { Letterbox } from '../../yolo/letterbox.js'
import { readDetectorFile } from '../model-file.js'
import { withRules } from '../option-rules.js'
import { type InputSize, integerOption, numberOption, sizeHelp, sizeOption } from '../options.js'
import { type Output, processOutput, table } from '../output.js'

interface Options {
  readonly model: string
  readonly conf: number
  readonly iou: number
  readonly maxDet: number
  readonly threads?: number
  readonly size?: InputSize
  readonly frames?: number
  readonly save?: string
  readonly json?: boolean
}

export function detectCommand(): Command {
  const command = new Command('detect')
    .description('Find objects in a picture, a folder of pictures, a video or a camera.')
    .argument(
      '<source>',
      'a picture, a folder with all folders below it, a video file, or a camera address such as /dev/video0 or rtsp://...',
    )
    .requiredOption('-m, --model <file>', 'a YOLOv8 detector as .onnx')
    .option('--conf <score>', 'smallest score', numberOption('conf', 0, 1), predictionOptions.conf)
    .option(
      '--iou <share>',
      'largest overlap of two boxes of one class',
      numberOption('iou', 0, 1),
      predictionOptions.iou,
    )
    .option(
      '--max-det <count>',
      'most detections in a picture',
      integerOption('max-det', 1, 3000),
      predictionOptions.maxDet,
    )
    .option(
      '--threads <count>',
      'threads of one inference (default: every core)',
      integerOption('threads', 1, 256),
    )
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option(
      '--frames <count>',
      'stop a video or camera after so many frames',
      integerOption('frames', 1, 1e9),
    )
    .option('--save <path>', 'write the picture with its boxes; for a folder: the folder to write into')
    .option('--json', 'print JSON')
  return withRules(command, { pictures: { excludes: ['--frames'] } }, picturesGiven).action(detect)
}

async function picturesGiven(command: Command): Promise<readonly string[]> {
  const found = await picturesOf(command.processedArgs[0] as string, undefined)
  return found === undefined ? [] : ['pictures']
}

async function detect(source: string, options: Options, command: Command): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { bytes, description } = await readDetectorFile(options.model, options.size)
  if (description.output.kind === 'boxes' && command.getOptionValueSource('iou') === 'cli') {
    output.note('--iou changes nothing: the model removes overlapping boxes itself')
  }
  const pictures = await picturesOf(source, options.save)
  if (pictures === undefined && options.save !== undefined) {
    throw new AgentError(
      'cli.argument_invalid',
      `--save ${options.save}: expected a picture or a folder as source, got ${addressOf(source).shown}`,
    )
  }
  const session = options.threads === undefined ? {} : { intraOpThreads: options.threads }
  const detector = await openDetector({ bytes, description }, { ...session, niceness: 0 })
  const run: Run = {
    detector,
    detection: { ...options, multiLabel: false },
    output,
    latency: new Histogram(),
    labels: distinctNames(description.classNames),
  }
  try {
    const found =
      pictures === undefined ? await watchVideo(run, source, options) : await readPictures(run, pictures)
    output.result({
      model: options.model,
      source: addressOf(source).shown,
      ...found,
      latency_ms: latencyOf(run.latency),
    })
    if (run.latency.count > 1) output.line(latencyLine(run.latency))
  } finally {
    await detector.close()
  }
}

interface Run {
  readonly detector: Detector
  readonly detection: DetectionOptions
  readonly output: Output
  readonly latency: Histogram
  /** By class index: how lines and tables name a class. */
  readonly labels: readonly string[]
}

interface Picture {
  readonly path: string
  /** Where it is written with its boxes. */
  readonly target: string | undefined
}

/** The pictures that `source` names, or undefined when it is a video or camera; `save` is a file, or a folder for a folder. */
async function picturesOf(source: string, save: string | undefined): Promise<readonly Picture[] | undefined> {
  const found = await stat(source).catch(() => undefined)
  if (found?.isDirectory() === true) return picturesBelow(source, save)
  if (found?.isFile() !== true || !isImagePath(source)) return undefined
  if (save !== undefined) requireOther(save, source)
  return [{ path: source, target: save }]
}

/** What an earlier run wrote below `folder` is left out. */
async function picturesBelow(folder: string, save: string | undefined): Promise<readonly Picture[]> {
  const paths = await listImages(folder)
  if (save === undefined) return paths.map((path) => ({ path, target: undefined }))
  requireOther(save, folder)
  const own = paths.filter((path) => relative(save, path).startsWith('..'))
  const targets = targetsOf(own, folder, save)
  return own.map((path, index) => ({ path, target: targets[index] }))
}

/** Throws `cli.argument_invalid` where pictures with boxes would take the place of the pictures themselves. */
function requireOther(save: string, source: string): void {
  if (resolve(save) !== resolve(source)) return
  throw new AgentError(
    'cli.argument_invalid',
    `--save ${save}: it would overwrite what is read; expected another name`,
  )
}

/** `b/a.png` of the source becomes `b/a.jpg` of `save`; where two pictures would become one file, `b/a.png.jpg`. */
function targetsOf(paths: readonly string[], source: string, save: string): readonly string[] {
  const stemOf = (path: string): string => path.slice(0, path.length - extname(path).length)
  const counts = new Map<string, number>()
  for (const path of paths) count(counts, stemOf(path))
  return paths.map((path) => {
    const stem = counts.get(stemOf(path)) === 1 ? stemOf(path) : path
    return join(save, `${relative(source, stem)}.jpg`)
  })
}

async function readPictures(run: Run, pictures: readonly Picture[]): Promise<object> {
  const results: object[] = []
  const unreadable: object[] = []
  for (const { path, target } of pictures) {
    try {
      results.push(await readPicture(run, { path, target }, pictures.length > 1))
    } catch (thrown) {
      if (pictures.length === 1 || !isAgentError(thrown, 'image.decode_failed')) throw thrown
      unreadable.push({ file: path, error: thrown.message })
      run.output.note(`left out: ${thrown.message}`)
    }
  }
  if (results.length === 0)
    throw new AgentError('image.decode_failed', `none of the ${pictures.length} pictures could be read`)
  return { pictures: results, unreadable }
}

async function readPicture(run: Run, { path, target }: Picture, isOneOfMany: boolean): Promise<object> {
  const { inputWidth: width, inputHeight: height } = run.detector.description
  const frame = await readFrame(path, { width, height })
  const { letterbox } = frame
  const detections = await detectFrame(run, frame)
  const { labels } = run
  run.output.line(`${path}: ${sentence(detections, labels)}`)
  if (!isOneOfMany && detections.length > 0) run.output.line(detectionTable(detections, labels))
  if (target !== undefined) {
    await savePicture(target, await readRgb(path), detections, labels)
    run.output.line(`saved ${target}`)
  }
  return {
    file: path,
    width: letterbox.sourceWidth,
    height: letterbox.sourceHeight,
    detections: detections.map((each) => wireOf(each, run.detector.description.classNames)),
  }
}

async function watchVideo(run: Run, source: string, options: Options): Promise<object> {
  const { inputWidth, inputHeight, classNames } = run.detector.description
  const supply = await openSource({ uri: source, inputWidth, inputHeight, mode: 'every-frame', faultsMax: 1 })
  const interrupted = new AbortController()
  const interrupt = (): void => {
    interrupted.abort()
  }
  process.once('SIGINT', interrupt)
  const frames: object[] = []
  const counts = new Map<string, number>()
  try {
    for (;;) {
      const lease = await supply.next(interrupted.signal)
      if (lease === undefined) break
      const detections = await detectFrame(run, lease).finally(() => {
        lease.release()
      })
      run.output.line(`frame ${lease.frameId}: ${sentence(detections, run.labels)}`)
      for (const each of detections) count(counts, run.labels[each.classIndex]!)
      if (run.output.json)
        frames.push({
          frame: lease.frameId,
          width: lease.letterbox.sourceWidth,
          height: lease.letterbox.sourceHeight,
          detections: detections.map((each) => wireOf(each, classNames)),
        })
      if (run.latency.count >= (options.frames ?? Number.POSITIVE_INFINITY)) break
    }
  } finally {
    process.off('SIGINT', interrupt)
    await supply.stop()
  }
  return { frames, detections_by_class: Object.fromEntries(counts) }
}

async function detectFrame(
  run: Run,
  frame: { readonly pixels: SharedArrayBuffer; readonly byteOffset: number; readonly letterbox: Letterbox },
): Promise<readonly Detection[]> {
  const before = systemClock.monotonicMs()
  const { detections } = await run.detector.detect(frame, run.detection)
  run.latency.record(systemClock.monotonicMs() - before)
  return detections
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** `4 person, 1 bus`, or `nothing`. */
function sentence(detections: readonly Detection[], names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const { classIndex } of detections) count(counts, names[classIndex]!)
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([name, total]) => `${total} ${name}`)
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

function detectionTable(detections: readonly Detection[], names: readonly string[]): string {
  const rows = detections.map(({ classIndex, score, x1, y1, x2, y2 }) => [
    names[classIndex]!,
    score.toFixed(3),
    ...[x1, y1, x2, y2].map((side) => side.toFixed(1)),
  ])
  return table([['class', 'score', 'x1', 'y1', 'x2', 'y2'], ...rows])
}

function wireOf({ classIndex, score, x1, y1, x2, y2 }: Detection, names: readonly string[]): object {
  return { name: names[classIndex], class: classIndex, confidence: score, box: { x1, y1, x2, y2 } }
}

function latencyOf(latency: Histogram): object {
  const { count: frames, p50Ms, p95Ms, maxMs } = latency.summary()
  return { frames, p50: p50Ms, p95: p95Ms, max: maxMs }
}

function latencyLine(latency: Histogram): string {
  const { count: frames, p50Ms, p95Ms } = latency.summary()
  return `${frames} frames, p50 ${p50Ms.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms`
}
