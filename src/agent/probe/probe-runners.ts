/**
 * Which runner commands of the settings answer here, and what they load.
 * Invariant: a runner that does not answer is a row with its reason, never an exception.
 */

import { messageOf } from '../../base/errors.js'
import { probeRunner } from '../../runtime/runner/runner-detector.js'
import type { ProvenRunner } from '../trial/device-profile.js'

export type RunnerProbe =
  | ({ readonly works: true } & ProvenRunner)
  | { readonly works: false; readonly kind: string; readonly reason: string }

/** Tries each entry of `inference.runners`: `kind=program argument ...`. */
export function probeRunners(entries: readonly string[]): Promise<readonly RunnerProbe[]> {
  return Promise.all(
    entries.map(async (entry): Promise<RunnerProbe> => {
      const cut = entry.indexOf('=')
      const kind = entry.slice(0, cut)
      const command = entry.slice(cut + 1).split(/\s+/)
      try {
        return { works: true, kind, command, ...(await probeRunner(command)) }
      } catch (thrown) {
        return { works: false, kind, reason: messageOf(thrown).slice(0, 500) }
      }
    }),
  )
}

/** Those that answered. */
export function workingRunners(probes: readonly RunnerProbe[]): readonly ProvenRunner[] {
  return probes.flatMap((probe) => (probe.works ? [probe] : []))
}
