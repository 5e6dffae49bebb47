/** How earlier deployments of a device ended: the answer to the command `deployments`. Invariant: the newest is last. */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import { wireErrorField, type WireError } from './deployment.js'
import { integerField, listField, momentField, nameField, versionField } from './fields.js'

/** The name of the command. */
export const deploymentsCommandName = 'deployments'

/** The end of one deployment. */
export interface EndedDeployment {
  readonly id: string
  readonly model: string
  readonly version: string
  readonly result: 'committed' | 'refused' | 'rolledBack'
  readonly at: string
  /** How often it was tried. */
  readonly attempts: number
  /** Why, when it was not committed. */
  readonly error?: WireError
  /** Whether it is never tried again. */
  readonly isFinal: boolean
}

/** The form of the data. */
export const deploymentHistorySchema: v.GenericSchema<
  unknown,
  { readonly deployments: readonly EndedDeployment[] }
> = v.object({
  deployments: listField(
    v.object({
      id: nameField,
      model: nameField,
      version: versionField,
      result: v.picklist(['committed', 'refused', 'rolledBack']),
      at: momentField,
      attempts: integerField(0, 1_000_000),
      error: v.exactOptional(wireErrorField),
      isFinal: v.boolean(),
    }),
    64,
  ),
})

/** The data of a response. */
export function deploymentHistoryData(deployments: readonly EndedDeployment[]): unknown {
  return {
    deployments: deployments.map(({ isFinal, ...ended }) => ({ ...ended, is_final: isFinal })),
  }
}

/** Reads the data of a response. Throws `protocol.payload_malformed`. */
export function parseDeploymentHistory(data: unknown): readonly EndedDeployment[] {
  const renamed: unknown = JSON.parse(JSON.stringify(data ?? null).replaceAll('"is_final":', '"isFinal":'))
  const outcome = v.safeParse(deploymentHistorySchema, renamed, { abortEarly: true })
  if (outcome.success) return outcome.output.deployments
  const [issue] = outcome.issues
  const problem = `cannot accept the deployments: ${v.getDotPath(issue) ?? 'the whole'} is not ${issue.expected ?? issue.message}`
  throw new AgentError('protocol.payload_malformed', problem)
}
