/**
 * Whether one execution provider computes right here.
 * Invariant: a provider that does not work is a row with its reason, never an exception.
 */

import { messageOf } from '../../base/errors.js'
import { exportModel } from '../../onnx/export-model.js'
import { makeNode } from '../../onnx/graph.js'
import { floatTensor } from '../../onnx/tensor.js'
import type { ProviderInfo } from '../../protocol/info.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { openTensorSession } from '../../runtime/tensor-session.js'

/** What decides whether a provider works. */
export type ProbeOptions = Pick<SessionOptions, 'library' | 'providerOptions' | 'providerLibraries'>

export interface ProbeOrder {
  readonly name: string
  readonly options: ProbeOptions
}

/** The smallest graph that says something: one convolution, opset 17, as every provider has it. */
function probeModel(): Uint8Array {
  return exportModel({
    name: 'probe',
    irVersion: 8,
    opsets: new Map([['', 17]]),
    inputs: [{ name: 'x', type: 'float32', shape: [1, 1, 4, 4] }],
    outputs: [{ name: 'y', type: 'float32', shape: [1, 1, 4, 4] }],
    nodes: [makeNode('Conv', 'conv', ['x', 'w'], ['y'])],
    initializers: new Map([['w', floatTensor([1, 1, 1, 1], [2])]]),
    metadata: new Map(),
    carried: undefined,
  })
}

/** Runs on the provider, in this process. */
export async function probeProvider({ name, options }: ProbeOrder): Promise<ProviderInfo> {
  try {
    const session = await openTensorSession(probeModel(), {
      ...options,
      providers: [name],
      intraOpThreads: 1,
    })
    try {
      const input = floatTensor([1, 1, 4, 4], new Array<number>(16).fill(3))
      const output = (await session.run(new Map([['x', input]]))).get('y')
      return Number(output?.data[0]) === 6
        ? { name, works: true }
        : { name, works: false, reason: `it computed ${output?.data[0]}, expected 6` }
    } finally {
      await session.close()
    }
  } catch (thrown) {
    return { name, works: false, reason: messageOf(thrown).slice(0, 500) }
  }
}
