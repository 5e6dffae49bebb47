/**
 * A network that computes, while it is trained, as its int8 form will.
 * Invariant: activations have the scales that the exported model has, frozen at the calibration; weights and biases are rounded per channel with the
 * same function that writes them, so what was trained is what is deployed.
 */

import { present } from '../../base/assert.js'
import { integerBias, weightScaleFloors } from '../../compress/quantization/integer-convolution.js'
import { calibrate, quantize, type QuantizeOptions } from '../../compress/quantization/quantize.js'
import { dequantizedWeight, quantizeWeight } from '../../compress/quantization/weights.js'
import { writeFakeActivations } from '../../compress/quantization/write-qdq.js'
import type { Graph } from '../../onnx/graph.js'
import type { GraphRunner, Sample } from '../../training/ports.js'
import type { Projection } from '../../training/trainer.js'

export interface RoundedNetwork {
  /** To train with. */
  readonly graph: Graph
  readonly see: Projection
  /** The int8 model of a trained network. */
  quantized(trained: Graph): Graph
}

/** Calibrates `network` (edge form) on `samples` of its input size. Throws `compress.*`. */
export async function roundedNetwork(
  network: Graph,
  samples: readonly Sample[],
  runner: GraphRunner,
  options: Pick<QuantizeOptions, 'target' | 'method'> & { readonly weightBits: number },
): Promise<RoundedNetwork> {
  const images = { count: samples.length, read: (index: number) => Promise.resolve(samples[index]!.pixels) }
  // Weights and biases are trained as they are rounded: making up for the rounding once more would undo it.
  const writing: QuantizeOptions = { ...options, rounding: 'nearest', biasCorrection: false }
  const observations = await calibrate(network, writing, runner, images)
  const written = (graph: Graph): ReturnType<typeof quantize> => quantize(graph, observations, writing)
  const { plan, scales } = written(network)
  const convolutions = network.nodes.filter((node) => node.opType === 'Conv' && plan.quantized.has(node.name))
  const kernels = convolutions.map(({ inputs: [input = '', kernel = '', bias = ''] }) => ({
    kernel,
    bias,
    dims: present(network.initializers.get(kernel), `${kernel} is a constant`).dims,
    scale: present(scales.get(input), `${input} has a scale`).scale,
  }))
  return {
    graph: writeFakeActivations(plan, scales),
    see: (weights) => {
      for (const { kernel, bias, dims, scale } of kernels) {
        const data = weights.get(kernel)
        if (data === undefined) continue
        const biases = weights.get(bias)
        const floors = biases === undefined ? undefined : weightScaleFloors(biases, scale)
        const integers = quantizeWeight({ type: 'float32', dims, data }, options.weightBits, floors)
        data.set(dequantizedWeight(integers))
        if (biases !== undefined && options.target.integerBias)
          integerBias(biases, scale, integers.scales).forEach((integer, channel) => {
            biases[channel] = integer * integers.scales[channel]! * scale
          })
      }
    },
    quantized: (trained) => written(trained).graph,
  }
}
