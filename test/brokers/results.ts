/**
 * What the conformance suite found, kept beside it so that one broker can be tried again alone, and the page made of it.
 * Invariant: every figure on the page comes from a row here, and every row from a run.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../helpers/paths.js'
import { type CaseId, type CaseOutcome, caseTitles } from './conformance.js'

/** One broker as it was tried. */
export interface BrokerRow {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly source: string
  readonly settings: string
  /** Why it could not be started; the cases are empty then. */
  readonly problem?: string
  readonly cases: readonly CaseOutcome[]
  /** Resident memory of the broker's processes at the end, bytes. */
  readonly residentBytes: number
}

const rowsFile = join(projectRoot, 'test', 'brokers', 'results.json')
const pageFile = join(projectRoot, 'deploy', 'BROKERS.md')

/** The rows of earlier runs. */
export function readRows(): readonly BrokerRow[] {
  return existsSync(rowsFile) ? (JSON.parse(readFileSync(rowsFile, 'utf8')) as BrokerRow[]) : []
}

/** Writes rows and page; `order` are the ids of all brokers. */
export function writeRows(rows: readonly BrokerRow[], order: readonly string[]): void {
  const sorted = rows.toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id))
  writeFileSync(rowsFile, `${JSON.stringify(sorted, null, 2)}\n`)
  const page = readFileSync(pageFile, 'utf8')
  writeFileSync(pageFile, withTables(page, tablesOf(sorted)))
}

const marks = { begin: '<!-- results -->', end: '<!-- /results -->' }

function withTables(page: string, tables: string): string {
  const [before, rest] = page.split(marks.begin)
  const after = rest?.split(marks.end)[1]
  if (before === undefined || after === undefined) throw new Error(`${pageFile} has no place for results`)
  return `${before}${marks.begin}\n\n${tables}\n\n${marks.end}${after}`
}

function tablesOf(rows: readonly BrokerRow[]): string {
  const ids = Object.keys(caseTitles) as CaseId[]
  const head = ['broker', 'version', ...ids.map((id) => caseTitles[id]), 'memory']
  const table = rows.map((row) => [
    row.name,
    row.version,
    ...ids.map((id) => markOf(row, id)),
    row.problem === undefined ? `${(row.residentBytes / 1e6).toFixed(0)} MB` : '',
  ])
  const remarks = rows.flatMap((row) => [
    `**${row.name} ${row.version}** (${row.source}${row.settings === '' ? '' : `; ${row.settings}`})`,
    '',
    ...(row.problem === undefined ? [] : [`- ${oneLine(row.problem)}`]),
    ...row.cases.map(
      ({ id, passed, detail, seconds }) =>
        `- ${caseTitles[id]}: ${passed ? '' : 'NO: '}${oneLine(detail)} (${seconds} s)`,
    ),
    '',
  ])
  return [markdownTable(head, table), '', ...remarks].join('\n').trimEnd()
}

function markOf(row: BrokerRow, id: CaseId): string {
  const outcome = row.cases.find((each) => each.id === id)
  if (outcome === undefined) return ''
  if (!outcome.passed) return 'NO'
  return outcome.isLimited === true ? 'limited' : 'yes'
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 400)
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
