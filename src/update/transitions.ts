/**
 * The transition table: state, event, next state. No row: the event cannot happen in that state.
 * Invariant: every state reaches idle; every state but idle has a row for failure. recover.ts is the table for what a
 * restart finds; keep the two in step.
 */

import type { DeploymentState } from '../protocol/deployment.js'
import type { EventKind } from './events.js'

type Row = Readonly<Partial<Record<EventKind, DeploymentState>>>

// prettier-ignore
export const transitions = {
  idle:        { offered:    'offered'                                                                                },

  // Until the switch the active model is not touched: every failure is a refusal.
  offered:     { accepted:   'downloading',                            failed: 'refused',     superseded: 'refused'     },
  downloading: { downloaded: 'verifying',                              failed: 'refused',     superseded: 'refused'     },
  verifying:   { verified:   'staged',      incomplete: 'downloading', failed: 'refused',     superseded: 'refused'     },
  staged:      { permitted:  'trial',                                  failed: 'refused',     superseded: 'refused'     },
  trial:       { chosen:     'switching',                              failed: 'refused',     superseded: 'refused'     },

  // From the switch to the commit every failure brings the previous model back.
  switching:   { switched:   'soaking',                                failed: 'rollingBack', superseded: 'rollingBack' },
  soaking:     { soaked:     'committed',                              failed: 'rollingBack', superseded: 'rollingBack' },

  // What closes a deployment is repeated until it succeeds; given up, the next start goes on with it.
  committed:   { finished:   'idle',        abandoned:  'idle',        failed: 'committed'                              },
  refused:     { finished:   'idle',        abandoned:  'idle',        failed: 'refused'                                },
  rollingBack: { finished:   'idle',        abandoned:  'idle',        failed: 'rollingBack'                            },
} as const satisfies Readonly<Record<DeploymentState, Row>>

/** The state that `event` leads to from `state`, or undefined when there is no row. */
export function nextState(state: DeploymentState, event: EventKind): DeploymentState | undefined {
  const row: Row = transitions[state]
  return row[event]
}
