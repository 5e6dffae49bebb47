/**
 * Machines by the variants of a bundle: what could run where, what would be measured first, and why each other one is refused.
 * Invariant: pure; every variant of the bundle appears once a machine.
 */

import { deviceProfileOf, type ProvenSoftware } from '../../agent/trial/device-profile.js'
import type { HardwareProfile } from '../../hardware/hardware-profile.js'
import type { Variant } from '../../protocol/manifest.js'
import type { SelectionPolicy } from '../../update/choose-variant.js'
import type { DiscardedVariant } from '../../update/deployment-record.js'
import { eligibleVariants } from '../../update/eligibility.js'

export interface MachineRow {
  readonly board: string
  /** Best guess first. */
  readonly eligible: readonly string[]
  readonly refused: readonly DiscardedVariant[]
}

/** The row of one machine on which `software` works. */
export function machineRow(
  hardware: HardwareProfile,
  software: ProvenSoftware,
  variants: readonly Variant[],
  policy: SelectionPolicy,
): MachineRow {
  const { variants: fit, discarded } = eligibleVariants(variants, deviceProfileOf(hardware, software), policy)
  return { board: hardware.board.name, eligible: fit.map(({ id }) => id), refused: discarded }
}

/** Lines for people: the machine, its guess in order, and one line for each variant that is refused. */
export function machineLines({ board, eligible, refused }: MachineRow): readonly string[] {
  return [
    board,
    `  measured in this order: ${eligible.join(', ') || 'none'}`,
    ...refused.map(({ variant, reason }) => `  not ${variant}: ${reason}`),
  ]
}
