/**
 * What a compression does, from a plan file and the command line; the command line wins, key by key.
 * Invariant: every key of a file is known; a section that neither names is not done.
 *
 *     prune: { macs: 0.8, criterion: reconstruction }
 *     sparsity: { sparsity: 0.5, pattern: unstructured }
 *     int8: { target: x64-vnni, method: silu }
 */

import { AgentError } from '../../base/errors.js'
import { parsePrunePlan, type PrunePlan } from '../../compress/pruning/prune-plan.js'
import { parseSparsityPlan, type SparsityPlan } from '../../compress/sparsity/sparsity-plan.js'
import { readYamlMap } from '../../config/yaml-file.js'

const sections = ['prune', 'sparsity', 'int8'] as const

export type PlanSection = Readonly<Record<string, unknown>>
export type PlanSections = Partial<Record<(typeof sections)[number], PlanSection>>

/** Reads a plan file. Throws `config.file_unreadable` and `compress.plan_invalid` with the name of the file. */
export function readPlanFile(file: string): PlanSections {
  const map = readYamlMap(file, 'the compression plan', 'prune:')
  const plan: PlanSections = {}
  for (const [name, value] of Object.entries(map)) {
    const section = sections.find((known) => known === name)
    if (section === undefined) {
      throw new AgentError(
        'compress.plan_invalid',
        `the plan ${file} has a section ${name}, expected some of ${sections.join(', ')}`,
      )
    }
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw new AgentError('compress.plan_invalid', `the section ${name} of the plan ${file} should be a map`)
    }
    plan[section] = (value ?? {}) as PlanSection
  }
  return plan
}

/** Reads `macs=0.7,round_to=8`, or `0.7` for `macs=0.7`. */
export function pruneOption(text: string): PlanSection {
  const entries = text.split(',').map((part) => {
    const cut = part.indexOf('=')
    return cut < 0 ? ['macs', valueOf(part)] : [part.slice(0, cut).trim(), valueOf(part.slice(cut + 1))]
  })
  return Object.fromEntries(entries) as PlanSection
}

function valueOf(text: string): string | number {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text.trim()
}

/** The checked pruning plan of a file's section and the command line; undefined where neither asks for pruning. */
export function prunePlanOf(section: PlanSection | undefined, given: PlanSection): PrunePlan | undefined {
  if (section === undefined && !('macs' in given)) {
    requireEmpty(given, '--prune macs=0.8')
    return undefined
  }
  return parsePrunePlan({ ...section, ...given })
}

/** The same for sparsity. */
export function sparsityPlanOf(
  section: PlanSection | undefined,
  given: PlanSection,
): SparsityPlan | undefined {
  const asked = section !== undefined || 'sparsity' in given || 'threshold' in given
  if (!asked) {
    requireEmpty(given, '--sparsity 0.5')
    return undefined
  }
  return parseSparsityPlan({ ...section, ...given })
}

function requireEmpty(given: PlanSection, missing: string): void {
  const [key] = Object.keys(given)
  if (key === undefined) return
  throw new AgentError(
    'cli.argument_invalid',
    `${key} ${String(given[key])} was given without what it belongs to, expected ${missing} as well`,
  )
}
