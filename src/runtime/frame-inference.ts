/**
 * One frame through one model, inside the worker: bring the pixels in, run, check, decode.
 * Invariant: the output tensors are allocated once, when their shapes are known, and used for every frame.
 */

import { Tensor } from 'onnxruntime-node'
import { AgentError } from '../base/errors.js'
import type { Clock } from '../base/clock.js'
import { decodeDetections } from '../yolo/decode.js'
import type { ModelDescription } from '../yolo/model-description.js'
import { placeOutputs } from '../yolo/output-memory.js'
import type { BackendSession, NamedTensors } from './backend.js'
import { isFiniteEvery } from './check-output.js'
import { type FrameInput, frameInput } from './frame-input.js'
import type { DetectRequest, DetectResult } from './messages.js'
import type { TensorInfo } from './tensor.js'

/** In how many frames each output element is checked once. */
const CHECK_STRIDE = 64

export class FrameInference {
  readonly #model: ModelDescription
  readonly #run: BackendSession['run']
  readonly #clock: Clock
  readonly #input: FrameInput
  #outputs: ReadonlyMap<string, Float32Array | Uint8Array> = new Map()
  #fetches: Readonly<Record<string, Tensor | null>>
  #frameCount = 0

  /** Throws `inference.load_failed` when the inputs and outputs of `session` are not those of `model`. */
  constructor(model: ModelDescription, session: Omit<BackendSession, 'release'>, clock: Clock) {
    this.#model = model
    this.#run = session.run
    this.#clock = clock
    requireTensor(session.inputs, model.inputName, model.inputLayout === 'nhwc-uint8' ? 'uint8' : 'float32')
    const expected = outputsOf(model)
    for (const [name, type] of expected) requireTensor(session.outputs, name, type)
    this.#input = frameInput(model, session.takesSharedMemory)
    this.#fetches = Object.fromEntries(expected.map(([name]) => [name, null]))
  }

  /** One run on a grey picture. The first run shows the output shapes, also where the file leaves them open. */
  async warmUp(): Promise<void> {
    await this.#infer(this.#input.greyFeeds())
  }

  /** Detects on the slot of `request`. */
  async detect(request: DetectRequest): Promise<DetectResult> {
    const startMs = this.#clock.monotonicMs()
    const feeds = this.#input.feedsOf(request)
    const fedMs = this.#clock.monotonicMs()
    await this.#infer(feeds)
    const inferredMs = this.#clock.monotonicMs()
    this.#requireFinite()
    const detections = decodeDetections(this.#outputs, this.#model, request.letterbox, request.options)
    return {
      detections,
      timings: {
        preprocessMs: fedMs - startMs,
        inferenceMs: inferredMs - fedMs,
        decodeMs: this.#clock.monotonicMs() - inferredMs,
      },
    }
  }

  async #infer(feeds: NamedTensors): Promise<void> {
    const results = await this.#run(feeds, this.#fetches)
    if (this.#outputs.size > 0) return
    const computed = new Map<string, Float32Array | Uint8Array>()
    for (const name of Object.keys(this.#fetches)) {
      const data = results[name]?.data
      if (!(data instanceof Float32Array || data instanceof Uint8Array)) {
        throw new AgentError('inference.output_invalid', `the model did not compute its output ${name}`)
      }
      computed.set(name, data)
    }
    this.#outputs = placeOutputs(computed)
    this.#fetches = Object.fromEntries(
      [...this.#outputs].map(([name, data]) => {
        const { type, dims } = results[name]!
        return [name, new Tensor(type, data, dims)] as const
      }),
    )
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
