/** `yolo-edge demo`: broker, publisher and agent in one process, and what they do on the terminal. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { pino } from 'pino'
import { printableLines } from '../../base/printable.js'
import { addressOf } from '../../base/address.js'
import { openSource } from '../../camera/open-source.js'
import { drawConveyor, drawGoldenSet, ownModel } from '../demo/conveyor.js'
import { runDemo } from '../demo/demo-run.js'
import type { Tally, TruthOf } from '../demo/tally.js'
import { accuracyLine, TerminalView } from '../demo/view.js'
import { integerOption, numberOption, settingOption } from '../options.js'
import { type Output, processOutput, table } from '../output.js'

interface Options {
  readonly model?: readonly string[]
  readonly source?: string
  readonly duration?: number
  readonly port: number
  readonly set: ReadonlyMap<string, unknown>
  readonly verbose?: boolean
  readonly json?: boolean
}

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'See the whole loop on this machine: publish a model over MQTT, fetch it, run it on a video.',
    )
    .option(
      '-m, --model <file...>',
      "YOLOv8 detectors as .onnx, variants of one model; or a bundle folder (default: the project's own)",
    )
    .option(
      '-s, --source <source>',
      'a video, a folder of pictures, a camera address, synthetic, or conveyor (default: conveyor for the own model, else synthetic)',
    )
    .option(
      '-d, --duration <seconds>',
      'how long to watch (default: 30, and as long as the dashboard is open in a browser)',
      numberOption('duration', 0.1, 86_400),
    )
    .option(
      '-p, --port <number>',
      'port of the dashboard; 0 for a free one',
      integerOption('port', 0, 65_535),
      0,
    )
    .option(
      '--set <section.key=value>',
      'one setting of the agent; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
    .option('--verbose', 'the log of the agent on stderr')
    .option('--json', 'print JSON at the end')
    .action(demo)
}

const durationDefaultS = 30

/** What is shown to the model. */
interface Shown {
  readonly uri: string
  readonly golden?: string
  readonly truthOf?: TruthOf
}

async function demo(options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const models = options.model ?? (await ownModel())
  const source = options.source ?? (options.model === undefined ? 'conveyor' : 'synthetic')
  if (source !== 'conveyor') return show({ uri: source }, models, options, output)
  const folder = await mkdtemp(join(tmpdir(), 'yolo-edge-conveyor-'))
  try {
    const drawing = output.progress('drawing the conveyor')
    const { uri, truthOf } = await drawConveyor(join(folder, 'pictures'), (done, total) => {
      drawing.update(done / total, `${done} of ${total} pictures`)
    })
    drawing.done()
    // Another model may have other classes: only of the own one the truth is known.
    const isOwn = options.model === undefined
    const shown = isOwn ? { uri, truthOf, golden: await drawGoldenSet(join(folder, 'golden')) } : { uri }
    await show(shown, models, options, output)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function show(
  shown: Shown,
  models: readonly string[],
  options: Options,
  output: Output,
): Promise<void> {
  await requireSource(shown.uri)
  const interrupted = new AbortController()
  process.once('SIGINT', () => {
    interrupted.abort()
  })
  const durationS = options.duration ?? durationDefaultS
  const tally = await runDemo({
    models,
    source: shown.uri,
    ...(shown.golden !== undefined && { golden: shown.golden }),
    ...(shown.truthOf !== undefined && { truthOf: shown.truthOf }),
    durationMs: durationS * 1000,
    staysWhileWatched: options.duration === undefined,
    dashboardPort: options.port,
    onDashboard: (url) => {
      output.note(`dashboard ${url}`)
    },
    settings: options.set,
    onTick: liveView(output, durationS),
    signal: interrupted.signal,
    ...(options.verbose === true && {
      logger: pino({ base: null, hooks: { streamWrite: printableLines } }, pino.destination(2)),
    }),
  })
  output.result(summaryOf(tally, shown.truthOf === undefined ? shown.uri : 'conveyor'))
  printSummary(output, tally)
}

/** Opens the source once, small, so that what is wrong with it is told before anything else starts. */
async function requireSource(uri: string): Promise<void> {
  const supply = await openSource({ uri, inputWidth: 64, inputHeight: 64, mode: 'live', faultsMax: 1 })
  await supply.stop()
}

function liveView(output: Output, durationS: number): (tally: Tally, elapsedMs: number) => void {
  if (!output.json && process.stdout.isTTY) {
    const view = new TerminalView(process.stdout)
    return (tally) => {
      view.draw(tally)
    }
  }
  const progress = output.progress('watching')
  let last = ''
  return (tally, elapsedMs) => {
    const state = tally.frames > 0 ? 'serving' : (tally.deployment?.state ?? 'waiting for a model')
    if (state !== last) output.note(state)
    last = state
    if (tally.frames > 0)
      progress.update(Math.min(1, elapsedMs / (durationS * 1000)), `${tally.frames} frames`)
  }
}

function summaryOf(tally: Tally, uri: string): object {
  const { model, provider, frames, seconds, fps, framesWithDetections, detections, accuracy, latency } =
    tally.summary()
  const milliseconds = ({ p50Ms, p95Ms, p99Ms }: typeof latency.inference): object => ({
    p50: p50Ms,
    p95: p95Ms,
    p99: p99Ms,
  })
  return {
    model,
    provider,
    source: addressOf(uri).shown,
    frames,
    seconds,
    fps,
    frames_with_detections: framesWithDetections,
    detections_by_class: Object.fromEntries(detections.map((each) => [each.name, each.detections])),
    classes: detections.map((each) => ({
      name: each.name,
      frames: each.frames,
      detections: each.detections,
      best_score: each.bestScore,
    })),
    ...(accuracy !== undefined && {
      accuracy: { pictures: accuracy.pictures, map: accuracy.map, map50: accuracy.map50 },
    }),
    latency_ms: {
      inference: milliseconds(latency.inference),
      end_to_end: milliseconds(latency.endToEnd),
    },
  }
}

function printSummary(output: Output, tally: Tally): void {
  const { model, frames, seconds, fps, detections, accuracy, latency } = tally.summary()
  if (model !== undefined) output.line(`\n${model.name} ${model.version}, variant ${model.variant}`)
  output.line(`${frames} frames in ${seconds.toFixed(1)} s: ${fps.toFixed(1)} a second`)
  const { inference, endToEnd } = latency
  output.line(
    `inference p50 ${inference.p50Ms.toFixed(1)} ms, p95 ${inference.p95Ms.toFixed(1)} ms; capture to detections p50 ${endToEnd.p50Ms.toFixed(1)} ms`,
  )
  if (accuracy !== undefined) output.line(accuracyLine(accuracy))
  const rows = detections.map(({ name, frames: seen, detections: count, bestScore }) => [
    name,
    String(seen),
    String(count),
    bestScore.toFixed(2),
  ])
  if (rows.length > 0) output.line(table([['class', 'frames', 'detections', 'best score'], ...rows]))
}
