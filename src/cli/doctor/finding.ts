/** What a look at a device found. Invariant: whatever is not in order says what can be done about it. */

import { AgentError, messageOf } from '../../base/errors.js'

export type Finding =
  | {
      readonly state: 'ok' | 'note'
      /** What was looked at: `processor`, `broker`. */
      readonly subject: string
      readonly detail: string
    }
  | {
      /** A warning costs speed or comfort; a fault keeps the agent from its work. */
      readonly state: 'warning' | 'fault'
      readonly subject: string
      readonly detail: string
      /** One sentence, imperative. */
      readonly remedy: string
    }

const marks: Readonly<Record<Finding['state'], string>> = {
  ok: 'ok     ',
  note: '       ',
  warning: 'warning',
  fault: 'FAULT  ',
}

/** The findings as lines for people: state, subject, detail; a remedy on a line of its own. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ subject }) => subject.length))
  return findings.flatMap((finding) => {
    const line = `${marks[finding.state]}  ${finding.subject.padEnd(width)}  ${finding.detail}`
    return 'remedy' in finding ? [line, `${' '.repeat(width + 11)}-> ${finding.remedy}`] : [line]
  })
}

/** The finding for anything thrown; the hint of an error is the better remedy. */
export function fault(subject: string, thrown: unknown, remedy: string): Finding {
  const hint = thrown instanceof AgentError ? thrown.hint : undefined
  return { state: 'fault', subject, detail: messageOf(thrown), remedy: hint ?? remedy }
}
