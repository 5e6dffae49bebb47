/**
 * Whether one execution provider computes right here, and in what precision.
 * Invariant: a provider that does not work is a row with its reason, never an exception.
 */

import { messageOf } from '../../base/errors.js'
import type { ProviderInfo } from '../../protocol/info.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { openTensorSession } from '../../runtime/tensor-session.js'
import { type Precision, precisionOf, proofInput, proofModel } from './precision-proof.js'

/** What decides whether a provider works. */
export type ProbeOptions = Pick<SessionOptions, 'library' | 'providerOptions' | 'providerLibraries'>

export interface ProbeOrder {
  readonly name: string
  readonly options: ProbeOptions
}

/** A provider as it was tried. */
export type ProbedProvider = ProviderInfo & {
  /** What it computes in; undefined where it does not work. */
  readonly precision?: Precision
}

/** Runs on the provider, in this process. */
export async function probeProvider({ name, options }: ProbeOrder): Promise<ProbedProvider> {
  try {
    const session = await openTensorSession(proofModel(), {
      ...options,
      providers: [name],
      intraOpThreads: 1,
    })
    try {
      const output = (await session.run(new Map([['x', proofInput()]]))).get('y')
      const precision = output === undefined ? undefined : precisionOf(output.data)
      return precision === undefined
        ? { name, works: false, reason: `it computed ${String(output?.data[3])}, expected 3` }
        : { name, works: true, precision }
    } finally {
      await session.close()
    }
  } catch (thrown) {
    return { name, works: false, reason: messageOf(thrown).slice(0, 500) }
  }
}
