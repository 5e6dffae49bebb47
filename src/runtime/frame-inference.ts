/**
 * One frame through one model, inside the worker: copy the slot in, run, check, decode.
 * Invariant: the input tensor and, once their shapes are known, the output tensors are allocated once and used for
 * every frame.
 */

import { Tensor } from 'onnxruntime-node'
import { AgentError } from '../base/errors.js'
import type { Clock } from '../base/clock.js'
import { decodeDetections } from '../yolo/decode.js'
import { letterboxPad } from '../yolo/letterbox.js'
import type { ModelDescription } from '../yolo/model-description.js'
import { isFiniteEvery } from './check-output.js'
import { fillPlanarFloat } from './fill-input.js'
import type { DetectRequest, DetectResult } from './messages.js'
import type { TensorInfo } from './tensor.js'

/** Runs the session: feeds by name in, outputs by name out; a fetch that is a tensor is filled. */
export type RunSession = (
  feeds: Readonly<Record<string, Tensor>>,
  fetches: Readonly<Record<string, Tensor | null>>,
) => Promise<Readonly<Record<string, Tensor>>>

/** In how many frames each output element is checked once. */
const CHECK_STRIDE = 64

export class FrameInference {
  readonly #model: ModelDescription
  readonly #run: RunSession
  readonly #clock: Clock
  readonly #pixelCount: number
  readonly #input: Uint8Array | Float32Array
  readonly #feeds: Readonly<Record<string, Tensor>>
  readonly #outputs = new Map<string, Float32Array | Uint8Array>()
  #fetches: Readonly<Record<string, Tensor | null>>
  #frameCount = 0

  /** Throws `inference.load_failed` when the session's inputs and outputs are not those of `model`. */
  constructor(
    model: ModelDescription,
    inputs: readonly TensorInfo[],
    outputs: readonly TensorInfo[],
    run: RunSession,
    clock: Clock,
  ) {
    this.#model = model
    this.#run = run
    this.#clock = clock
    const { inputWidth, inputHeight, inputLayout } = model
    this.#pixelCount = inputWidth * inputHeight
    requireTensor(inputs, model.inputName, inputLayout === 'nhwc-uint8' ? 'uint8' : 'float32')
    if (inputLayout === 'nhwc-uint8') {
      const data = new Uint8Array(this.#pixelCount * 3).fill(letterboxPad)
      this.#input = data
      this.#feeds = { [model.inputName]: new Tensor('uint8', data, [1, inputHeight, inputWidth, 3]) }
    } else {
      const data = new Float32Array(this.#pixelCount * 3).fill(letterboxPad / 255)
      this.#input = data
      this.#feeds = { [model.inputName]: new Tensor('float32', data, [1, 3, inputHeight, inputWidth]) }
    }
    const expected = outputsOf(model)
    for (const [name, type] of expected) requireTensor(outputs, name, type)
    this.#fetches = Object.fromEntries(expected.map(([name]) => [name, null]))
  }

  /** One run on a grey picture. The first run shows the output shapes, also where the file leaves them open. */
  async warmUp(): Promise<void> {
    await this.#infer()
  }

  /** Detects on the slot of `request`; calls `onSlotCopied` as soon as the slot is not needed any more. */
  async detect(request: DetectRequest, onSlotCopied: () => void): Promise<DetectResult> {
    const startMs = this.#clock.monotonicMs()
    const slot = new Uint8Array(request.pixels, request.byteOffset, this.#pixelCount * 3)
    if (this.#input instanceof Float32Array) fillPlanarFloat(this.#input, slot, this.#pixelCount)
    else this.#input.set(slot)
    onSlotCopied()
    const filledMs = this.#clock.monotonicMs()
    await this.#infer()
    const inferredMs = this.#clock.monotonicMs()
    this.#requireFinite()
    const detections = decodeDetections(this.#outputs, this.#model, request.letterbox, request.options)
    return {
      detections,
      timings: {
        preprocessMs: filledMs - startMs,
        inferenceMs: inferredMs - filledMs,
        decodeMs: this.#clock.monotonicMs() - inferredMs,
      },
    }
  }

  async #infer(): Promise<void> {
    const results = await this.#run(this.#feeds, this.#fetches)
    if (this.#outputs.size > 0) return
    const fetches: Record<string, Tensor> = {}
    for (const name of Object.keys(this.#fetches)) {
      const first = results[name]?.data
      if (!(first instanceof Float32Array || first instanceof Uint8Array)) {
        throw new AgentError('inference.output_invalid', `the model did not compute its output ${name}`)
      }
      const data = first.slice()
      this.#outputs.set(name, data)
      fetches[name] = new Tensor(results[name]!.type, data, results[name]!.dims)
    }
    this.#fetches = fetches
  }

  #requireFinite(): void {
    // The first frame is checked whole, so that a broken model is found at once.
    const stride = this.#frameCount === 0 ? 1 : CHECK_STRIDE
    const first = this.#frameCount++ % stride
    for (const [name, values] of this.#outputs) {
      if (values instanceof Float32Array && !isFiniteEvery(values, first, stride)) {
        throw new AgentError(
          'inference.output_invalid',
          `output ${name} of the model has values that are not finite numbers`,
        )
      }
    }
  }
}

function outputsOf(model: ModelDescription): readonly (readonly [name: string, type: 'float32' | 'uint8'])[] {
  if (model.output.kind === 'decoded') return [[model.output.name, 'float32']]
  return model.output.levels.flatMap(({ box, cls, boxScale, clsScale }) => [
    [box, boxScale === undefined ? 'float32' : 'uint8'] as const,
    [cls, clsScale === undefined ? 'float32' : 'uint8'] as const,
  ])
}

function requireTensor(infos: readonly TensorInfo[], name: string, type: TensorInfo['type']): void {
  const info = infos.find((candidate) => candidate.name === name)
  if (info?.type === type) return
  const found = info === undefined ? 'has none of that name' : `has it as ${info.type}`
  throw new AgentError(
    'inference.load_failed',
    `the model's description expects ${name} as ${type}, but the model ${found}`,
  )
}
