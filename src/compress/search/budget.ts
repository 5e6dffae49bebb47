/**
 * What a user asks of a model: bounds on figures, as text.
 *
 *     map-drop<=1.0            at most one point of mAP50-95 less than the float export
 *     size<=2MB, packed<=2MB   bytes of the file, and of what travels
 *     ms<=20, speed-up>=2.4    time of a frame on this machine, and against the float export
 *
 * Invariant: a budget has at least one bound; bounds of one budget hold together.
 */

import { AgentError } from '../../base/errors.js'
import type { Figures } from './trial.js'

interface Quantity {
  readonly sign: '<=' | '>='
  readonly units: Readonly<Record<string, number>>
  readonly of: (figures: Figures) => number
}

const bytes = { '': 1, kB: 1e3, KB: 1e3, MB: 1e6 }

const quantities: Readonly<Record<string, Quantity>> = {
  'map-drop': { sign: '<=', units: { '': 1 }, of: ({ difference }) => -100 * difference.value },
  size: { sign: '<=', units: bytes, of: ({ sizeBytes }) => sizeBytes },
  packed: { sign: '<=', units: bytes, of: ({ packedBytes }) => packedBytes },
  ms: { sign: '<=', units: { '': 1, ms: 1 }, of: ({ ms }) => ms },
  'speed-up': { sign: '>=', units: { '': 1, x: 1 }, of: ({ speedUp }) => speedUp },
}

export interface Bound {
  readonly quantity: string
  /** In points, bytes, milliseconds, times. */
  readonly limit: number
}

export interface Budget {
  /** As it was written. */
  readonly text: string
  readonly bounds: readonly Bound[]
}

/** Reads `map-drop<=1.0,size<=2MB`. Throws `compress.plan_invalid` naming the part that is wrong. */
export function parseBudget(text: string): Budget {
  const bounds = text.split(/,|\band\b/).map((part) => parseBound(part.trim(), text))
  return { text, bounds }
}

function parseBound(part: string, text: string): Bound {
  const [, name = '', sign = '', amount = '', unit = ''] =
    /^([a-z-]+)\s*(<=|>=)\s*([\d.]+)\s*([A-Za-z]*)$/.exec(part) ?? []
  const quantity = Object.hasOwn(quantities, name) ? quantities[name] : undefined
  const factor = quantity?.units[unit]
  const limit = Number(amount) * (factor ?? Number.NaN)
  if (quantity?.sign === sign && Number.isFinite(limit)) return { quantity: name, limit }
  throw new AgentError(
    'compress.plan_invalid',
    `the budget ${JSON.stringify(text)} has ${JSON.stringify(part)}, expected bounds such as map-drop<=1.0, size<=2MB, packed<=2MB, ms<=20 or speed-up>=2.4`,
  )
}

/** The bounds of `budget` that `figures` break. */
export function brokenBounds(budget: Budget, figures: Figures): readonly Bound[] {
  return budget.bounds.filter(({ quantity, limit }) => {
    const { sign, of } = quantities[quantity]!
    return sign === '<=' ? of(figures) > limit : of(figures) < limit
  })
}

/** Whether the budget bounds what accuracy may cost: then the fastest within it is wanted, else the most accurate. */
export function boundsAccuracy({ bounds }: Budget): boolean {
  return bounds.some(({ quantity }) => quantity === 'map-drop')
}
