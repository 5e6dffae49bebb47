/**
 * One frame through one model, inside the worker: bring the pixels in, run, check, decode.
 * Invariant: outputs of a fixed shape are allocated once, when the shapes are known, and filled for every frame; only the boxes of
 * tiles, of which each frame has others, are allocated anew.
 */

import { Tensor } from 'onnxruntime-node'
import { AgentError } from '../base/errors.js'
import type { Clock } from '../base/clock.js'
import { decodeDetections, logitOfScore, type ModelOutputs, withBoxCoding } from '../yolo/decode.js'
import type { HeadLevel, ModelDescription } from '../yolo/model-description.js'
import { placeOutputs } from '../yolo/output-memory.js'
import type { BackendSession, NamedTensors } from './backend.js'
import { isFiniteEvery } from './check-output.js'
import { type FrameInput, frameInput, inputTypeOf } from './frame-input.js'
import type { DetectRequest, DetectResult } from './messages.js'
import type { TensorInfo } from './tensor.js'

/** In how many frames each output element is checked once. */
const CHECK_STRIDE = 64

export class FrameInference {
  #model: ModelDescription
  readonly #run: BackendSession['run']
  readonly #clock: Clock
  readonly #input: FrameInput
  /** In a model with lazy boxes: the class logit from which they are computed, and the input that takes it. */
  readonly #threshold: { readonly feed: NamedTensors; readonly value: Float32Array } | undefined
  readonly #expected: readonly ExpectedOutput[]
  /** Those of a fixed shape, in use from the second run on. */
  #fixed: ReadonlyMap<string, Float32Array | Uint8Array> | undefined
  #fetches: Readonly<Record<string, Tensor | null>>
  #isCoded = false
  #frameCount = 0

  /** Throws `inference.load_failed` when the inputs and outputs of `session` are not those of `model`. */
  constructor(model: ModelDescription, session: Omit<BackendSession, 'release'>, clock: Clock) {
    this.#model = model
    this.#run = session.run
    this.#clock = clock
    requireTensor(session.inputs, model.inputName, inputTypeOf(model))
    const thresholdName = model.output.kind === 'heads' ? model.output.thresholdName : undefined
    if (thresholdName !== undefined) {
      requireTensor(session.inputs, thresholdName, 'float32')
      const value = new Float32Array(1)
      this.#threshold = { feed: { [thresholdName]: new Tensor('float32', value, [1]) }, value }
    }
    this.#expected = outputsOf(model)
    for (const { name, type } of this.#expected) requireTensor(session.outputs, name, type)
    this.#input = frameInput(model, session.takesSharedMemory)
    this.#fetches = Object.fromEntries(this.#expected.map(({ name }) => [name, null]))
  }

  /**
   * One run on a grey picture, with the boxes of all tiles: no frame will need more memory. The first run shows the output shapes, also
   * where the file leaves them open, and what the numbers of decoded boxes mean.
   */
  async warmUp(): Promise<void> {
    const outputs = await this.#infer(this.#input.greyFeeds(), -Infinity)
    if (this.#isCoded) return
    this.#model = withBoxCoding(this.#model, outputs)
    this.#isCoded = true
  }

  /** Detects on the slot of `request`. */
  async detect(request: DetectRequest): Promise<DetectResult> {
    const startMs = this.#clock.monotonicMs()
    const feeds = this.#input.feedsOf(request)
    const fedMs = this.#clock.monotonicMs()
    const outputs = await this.#infer(feeds, logitOfScore(request.options.conf))
    const inferredMs = this.#clock.monotonicMs()
    this.#requireFinite(outputs)
    const detections = decodeDetections(outputs, this.#model, request.letterbox, request.options)
    return {
      detections,
      timings: {
        preprocessMs: fedMs - startMs,
        inferenceMs: inferredMs - fedMs,
        decodeMs: this.#clock.monotonicMs() - inferredMs,
      },
    }
  }

  /** Runs; `threshold`, a class logit, is rounded to float32, so boxes of logits that equal it may be computed too. */
  async #infer(feeds: NamedTensors, threshold: number): Promise<ModelOutputs> {
    const results = await this.#run(this.#withThreshold(feeds, threshold), this.#fetches)
    const outputs = new Map(this.#expected.map(({ name, type }) => [name, elementsOf(results, name, type)]))
    if (this.#fixed !== undefined) return new Map([...outputs, ...this.#fixed])
    const fixed = new Map<string, Float32Array | Uint8Array>()
    for (const { name, isFixed } of this.#expected) {
      const values = outputs.get(name)
      if (isFixed && values !== undefined && !(values instanceof Int32Array)) fixed.set(name, values)
    }
    this.#fixed = placeOutputs(fixed)
    const tensors = [...this.#fixed].map(([name, data]) => {
      const { type, dims } = results[name]!
      return [name, new Tensor(type, data, dims)] as const
    })
    this.#fetches = { ...this.#fetches, ...Object.fromEntries(tensors) }
    return outputs
  }

  #withThreshold(feeds: NamedTensors, threshold: number): NamedTensors {
    if (this.#threshold === undefined) return feeds
    this.#threshold.value[0] = threshold
    return { ...feeds, ...this.#threshold.feed }
  }

  #requireFinite(outputs: ModelOutputs): void {
    // The first frame is checked whole, so that a broken model is found at once.
    const stride = this.#frameCount === 0 ? 1 : CHECK_STRIDE
    const first = this.#frameCount++ % stride
    for (const [name, values] of outputs) {
      if (values instanceof Float32Array && !isFiniteEvery(values, first, stride)) {
        throw new AgentError(
          'inference.output_invalid',
          `output ${name} of the model has values that are not finite numbers`,
        )
      }
    }
  }
}

interface ExpectedOutput {
  readonly name: string
  readonly type: 'float32' | 'uint8' | 'int32'
  /** Whether every frame gives as many elements. */
  readonly isFixed: boolean
}

function outputsOf({ output }: ModelDescription): readonly ExpectedOutput[] {
  const type = 'float32'
  switch (output.kind) {
    case 'decoded':
      return [output.name, output.scores].flatMap((name) =>
        name === undefined ? [] : [{ name, type, isFixed: true }],
      )
    case 'boxes':
      return [{ name: output.name, type, isFixed: output.rows !== undefined }]
    case 'heads':
      return output.levels.flatMap((level) => levelOutputs(level))
  }
}

function levelOutputs({ box, cls, boxScale, clsScale, tiles }: HeadLevel): readonly ExpectedOutput[] {
  const isFixed = tiles === undefined
  return [
    { name: box, type: boxScale === undefined ? 'float32' : 'uint8', isFixed },
    { name: cls, type: clsScale === undefined ? 'float32' : 'uint8', isFixed: true },
    ...(isFixed ? [] : [{ name: tiles.name, type: 'int32' as const, isFixed }]),
  ]
}

function elementsOf(
  results: NamedTensors,
  name: string,
  type: ExpectedOutput['type'],
): Float32Array | Uint8Array | Int32Array {
  const data = results[name]?.type === type ? results[name].data : undefined
  if (data instanceof Float32Array || data instanceof Uint8Array || data instanceof Int32Array) return data
  throw new AgentError('inference.output_invalid', `the model did not compute its output ${name}`)
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
