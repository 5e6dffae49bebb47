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
import { parseSparsityPlan, patternRatio, type SparsityPlan } from '../../compress/sparsity/sparsity-plan.js'
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

/**
 * The checked pruning plan of a file's section, of `--prune` and of the options beside it, which win in this order; undefined
 * where neither the file nor `--prune` asks for pruning. Throws `compress.plan_invalid`.
 */
export function prunePlanOf(
  section: PlanSection | undefined,
  prune: PlanSection | undefined,
  options: PlanSection,
): PrunePlan | undefined {
  if (section === undefined && prune === undefined) return undefined
  return parsePrunePlan({ ...section, ...prune, ...options })
}

/** The same for sparsity, which a file, `--sparsity` or `--threshold` asks for. A key that another one makes idle is refused. */
export function sparsityPlanOf(
  section: PlanSection | undefined,
  options: PlanSection,
): SparsityPlan | undefined {
  if (section === undefined && !('sparsity' in options) && !('threshold' in options)) return undefined
  const asked = { ...section, ...options }
  const plan = parseSparsityPlan(asked)
  const idle = plan.threshold === undefined ? undefined : idleBeside.find((key) => key in asked)
  if (idle !== undefined) {
    const problem = `the sparsity plan has threshold ${plan.threshold} and ${idle} ${String(plan[idle])}: a threshold alone says which weights go, expected one of both`
    throw new AgentError('compress.plan_invalid', problem)
  }
  const ratio = patternRatio(plan.pattern)
  if (ratio !== undefined && 'sparsity' in asked && plan.sparsity !== 1 - ratio.keep / ratio.of) {
    const problem = `the sparsity plan has sparsity ${plan.sparsity} and pattern ${plan.pattern}, expected sparsity ${1 - ratio.keep / ratio.of}, which the pattern makes`
    throw new AgentError('compress.plan_invalid', problem)
  }
  return plan
}

/** What a threshold leaves nothing to decide for. */
const idleBeside = ['sparsity', 'pattern', 'criterion', 'scope'] as const
