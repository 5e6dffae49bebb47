/** What a self-check says: whether the int8 models may go out, in words and as data. Invariant: every figure shown was measured. */

import { AgentError } from '../../base/errors.js'
import { checkedConfidence, type CheckFigures, type ModelCheck, type SelfCheck } from './self-check.js'

/** Agreement (F1) that int8 models of YOLOv8 keep on pictures of every kind that was tried; below it something is wrong. */
export const defaultMinAgreement = 0.8

/** Fewer objects than this in all pictures together say nothing about a model. */
const fewestObjects = 5

export interface CheckVerdict {
  readonly check: SelfCheck
  /** The least F1 that is taken for agreement, 0..1. */
  readonly minAgreement: number
  /** Whether either model finds enough for the agreement to mean anything. */
  readonly isTold: boolean
  /** Those that agree less. */
  readonly low: readonly ModelCheck[]
  /** What is to be told about the pictures and the models, one sentence each. */
  readonly warnings: readonly string[]
}

export function verdictOf(check: SelfCheck, minAgreement: number): CheckVerdict {
  const { models, asked, empty } = check
  const isTold = models.some(({ floatFinds, int8Finds }) => Math.max(floatFinds, int8Finds) >= fewestObjects)
  const low = isTold ? models.filter(({ f1 }) => f1 < minAgreement) : []
  const warnings = [
    ...(2 * empty > asked
      ? [
          `float itself finds nothing in ${empty} of ${asked} calibration pictures (confidence ${checkedConfidence}): ` +
            'ranges taken from them say little about objects; calibrate with pictures like those the model will see',
        ]
      : []),
    ...(isTold ? [] : [untold(check)]),
    ...low.map((model) => disagreement(model, minAgreement)),
  ]
  return { check, minAgreement, isTold, low, warnings }
}

/** Throws `compress.agreement_low` unless every model was seen to agree with float. */
export function requireAgreement({ check, minAgreement, isTold, low }: CheckVerdict): void {
  const hint = 'calibrate with pictures like those the model will see, in which it finds its objects'
  const [worst] = low.toSorted((a, b) => a.f1 - b.f1)
  const problem = isTold ? worst && disagreement(worst, minAgreement) : untold(check)
  if (problem === undefined) return
  throw new AgentError('compress.agreement_low', `--strict: ${problem}; nothing was written`, { hint })
}

/** One line for people; `seconds` is the time of the whole compression. */
export function checkLine({ check, isTold }: CheckVerdict, seconds: number): string {
  const { models } = check
  const time = `${check.seconds.toFixed(1)} s of ${seconds.toFixed(1)} s`
  if (!isTold) return `self-check: ${untold(check)}; ${time}`
  const agreement = models.map(({ name, f1 }) => `${f1.toFixed(3)} (${name})`).join(', ')
  const difference = Math.max(...models.map(({ largestDifference }) => largestDifference))
  return (
    `self-check: on ${picturesText(check)} int8 finds what float finds with F1 ${agreement} at confidence ${checkedConfidence}, ` +
    `largest score difference ${difference.toFixed(2)}; ${time}`
  )
}

/** Which pictures were looked at, in words. */
export function picturesText({ heldOut, shiftedCopies }: SelfCheck): string {
  return heldOut === 0
    ? `${shiftedCopies} shifted copies of calibration pictures (too few to hold any out)`
    : `${heldOut + shiftedCopies} pictures that ranges were not taken from (${heldOut} held out, ${shiftedCopies} shifted copies)`
}

/** For report.json. */
export function checkReport({ check, minAgreement, isTold, low, warnings }: CheckVerdict): object {
  return {
    confidence: checkedConfidence,
    min_agreement: minAgreement,
    agrees: isTold && low.length === 0,
    held_out: check.heldOut,
    shifted_copies: check.shiftedCopies,
    calibration_pictures: { asked: check.asked, float_finds_nothing: check.empty },
    seconds: check.seconds,
    warnings,
    models: check.models.map(({ name, kinds, ...figures }) => ({
      int8_target: name,
      ...figuresReport(figures),
      pictures: kinds.map(({ kind, ...each }) => ({ kind, ...figuresReport(each) })),
    })),
  }
}

function figuresReport({ floatFinds, int8Finds, f1, largestDifference }: CheckFigures): object {
  return { float_finds: floatFinds, int8_finds: int8Finds, f1, largest_score_difference: largestDifference }
}

function disagreement({ name, f1, floatFinds, int8Finds }: ModelCheck, minAgreement: number): string {
  return (
    `int8 for ${name} finds other objects than float: F1 ${f1.toFixed(3)} (${int8Finds} objects, float ${floatFinds}), ` +
    `expected at least ${minAgreement}`
  )
}

function untold(check: SelfCheck): string {
  return `the agreement of int8 with float cannot be told: on ${picturesText(check)} they find fewer than ${fewestObjects} objects`
}
