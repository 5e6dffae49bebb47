/**
 * A detector behind a runner command: models that ONNX Runtime cannot load.
 * Invariant: what a runner answers is checked, cut by the caller's options and mapped back to the picture here, whatever the
 * runner did of that itself.
 */

import { invariant } from '../../base/assert.js'
import { type Clock, systemClock } from '../../base/clock.js'
import { AgentError, isAgentError } from '../../base/errors.js'
import { toSourceBox } from '../../yolo/boxes.js'
import type { Detection, DetectionOptions } from '../../yolo/detection.js'
import type { Letterbox } from '../../yolo/letterbox.js'
import type { ModelDescription } from '../../yolo/model-description.js'
import type { Detector, DetectorFrame } from '../detector.js'
import type { DetectResult } from '../messages.js'
import {
  parseDetected,
  parseHello,
  parseOpened,
  type RunnerBox,
  type RunnerHello,
  runnerProtocolVersion,
} from './runner-protocol.js'
import { RunnerProcess } from './runner-process.js'

/** Loading firmware into an NPU for the first time takes seconds; an engine is deserialised in tens of them. */
const limits = { helloMs: 30_000, openMs: 300_000, detectMs: 60_000 }

/** What a model behind a runner takes and gives: pixels in, boxes out. */
export function runnerDescription(
  size: { readonly width: number; readonly height: number },
  classNames: readonly string[],
): ModelDescription {
  return {
    inputName: 'images',
    inputLayout: 'nhwc-uint8',
    inputWidth: size.width,
    inputHeight: size.height,
    classNames: [...classNames],
    output: { kind: 'decoded', name: 'boxes' },
  }
}

/** Asks the runner `command` who it is, and ends it. Throws `inference.*`. */
export async function probeRunner(
  command: readonly string[],
  clock: Clock = systemClock,
): Promise<RunnerHello> {
  const runner = new RunnerProcess(command, clock)
  try {
    return await greet(runner)
  } finally {
    await runner.close()
  }
}

async function greet(runner: RunnerProcess): Promise<RunnerHello> {
  return parseHello(await runner.request({ hello: runnerProtocolVersion }, limits.helloMs))
}

/** Opens the file at `path` with the runner `command`. Throws `inference.load_failed` and other `inference.*`. */
export async function openRunnerDetector(
  command: readonly string[],
  model: { readonly path: string; readonly description: ModelDescription },
  clock: Clock = systemClock,
): Promise<Detector> {
  const { description } = model
  const runner = new RunnerProcess(command, clock)
  const startMs = clock.monotonicMs()
  try {
    const { runtime } = await greet(runner)
    await openModel(runner, model.path, description)
    return new RunnerDetector(runner, runtime, description, clock.monotonicMs() - startMs, clock)
  } catch (thrown) {
    await runner.close()
    throw thrown
  }
}

async function openModel(runner: RunnerProcess, path: string, description: ModelDescription): Promise<void> {
  const { inputWidth: width, inputHeight: height, classNames } = description
  try {
    parseOpened(
      await runner.request({ open: path, width, height, classes: classNames.length }, limits.openMs),
    )
  } catch (thrown) {
    if (!isAgentError(thrown, 'inference.run_failed')) throw thrown
    throw new AgentError('inference.load_failed', `cannot load ${path}: ${thrown.message}`, { cause: thrown })
  }
}

class RunnerDetector implements Detector {
  readonly description: ModelDescription
  readonly provider: string
  readonly info: Detector['info']
  readonly #runner: RunnerProcess
  readonly #clock: Clock
  /** Pipes take no shared memory: a copy of the slot. */
  readonly #pixels: Uint8Array
  #nextId = 1
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    runner: RunnerProcess,
    runtime: string,
    description: ModelDescription,
    loadMs: number,
    clock: Clock,
  ) {
    this.#runner = runner
    this.#clock = clock
    this.description = description
    this.provider = runtime
    this.info = {
      provider: runtime,
      inputs: [],
      outputs: [],
      loadMs,
      warmUp: { runs: 0, firstMs: 0, lastMs: 0 },
    }
    this.#pixels = new Uint8Array(description.inputWidth * description.inputHeight * 3)
  }

  detect(frame: DetectorFrame, options: DetectionOptions): Promise<DetectResult> {
    const result = this.#turn.then(() => this.#detect(frame, options))
    // The next frame does not fail because this one did.
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #detect(
    { pixels, byteOffset, letterbox }: DetectorFrame,
    options: DetectionOptions,
  ): Promise<DetectResult> {
    const bytes = this.#pixels.byteLength
    invariant(
      byteOffset >= 0 && byteOffset + bytes <= pixels.byteLength,
      'a frame lies inside its shared memory',
    )
    const startMs = this.#clock.monotonicMs()
    this.#pixels.set(new Uint8Array(pixels, byteOffset, bytes))
    const copiedMs = this.#clock.monotonicMs()
    const id = this.#nextId++
    const request = { detect: id, bytes, conf: options.conf, iou: options.iou, max: options.maxDet }
    const line = await this.#runner.request(request, limits.detectMs, this.#pixels)
    const answer = parseDetected(line, this.description.classNames.length)
    if (answer.id !== id) {
      throw new AgentError(
        'inference.output_invalid',
        `the runner answered frame ${answer.id}, expected ${id}`,
      )
    }
    const answeredMs = this.#clock.monotonicMs()
    const detections = detectionsOf(answer.boxes, options, letterbox)
    return {
      detections,
      timings: {
        preprocessMs: copiedMs - startMs,
        inferenceMs: answeredMs - copiedMs,
        decodeMs: this.#clock.monotonicMs() - answeredMs,
      },
    }
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#runner.close()
  }

  async terminate(): Promise<void> {
    this.#runner.kill()
    await this.#runner.close()
  }
}

/** Best score first. */
function detectionsOf(
  boxes: readonly RunnerBox[],
  { conf, maxDet }: DetectionOptions,
  letterbox: Letterbox,
): Detection[] {
  return boxes
    .filter(({ score }) => score > conf)
    .sort((a, b) => b.score - a.score)
    .slice(0, maxDet)
    .map(({ score, classIndex, ...box }) => ({ classIndex, score, ...toSourceBox(box, letterbox) }))
}
