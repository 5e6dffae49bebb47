/**
 * What a person or a script sees.
 * Invariant: results go to stdout, everything else to stderr; with --json stdout is exactly one JSON document; whatever a
 * text is made of, no character of it is obeyed by a terminal.
 */

import { inspect } from 'node:util'
import { AgentError, messageOf } from '../base/errors.js'
import { printable, printableLines } from '../base/printable.js'
import { errorWithPriority, goesToJournal } from './journal.js'

/** Where a command writes. */
export interface Output {
  /** One JSON document instead of text. */
  readonly json: boolean
  /** A line of the result, for people; nothing with --json. */
  line(text: string): void
  /** The result for machines; nothing without --json. */
  result(value: unknown): void
  /** One of several results for machines, as they come: one line of JSON each; nothing without --json. */
  event(value: unknown): void
  /** A remark that is not part of the result: stderr. */
  readonly note: (text: string) => void
  /** A bar that follows `fraction` on a terminal; a plain line each tenth elsewhere. */
  progress(label: string): Progress
}

export interface Progress {
  /** `fraction` is 0..1; `detail` stands behind the bar. */
  update(fraction: number, detail?: string): void
  /** Ends the line. */
  done(detail?: string): void
}

/** Writes to the process's own streams. */
export function processOutput(json: boolean): Output {
  const { stdout, stderr } = process
  return {
    json,
    line: (text) => {
      if (!json) stdout.write(`${printableLines(text)}\n`)
    },
    result: (value) => {
      if (json) stdout.write(`${jsonText(value)}\n`)
    },
    event: (value) => {
      if (json) stdout.write(`${printable(JSON.stringify(value))}\n`)
    },
    note: (text) => {
      stderr.write(`${printableLines(text)}\n`)
    },
    progress: (label) => (stderr.isTTY ? barOn(stderr, label) : linesOn(stderr, label)),
  }
}

/** JSON for people and machines: every character that a terminal would obey is written as an escape. */
function jsonText(value: unknown): string {
  return printableLines(JSON.stringify(value, null, 2))
}

const barWidth = 28

function barOn(stream: NodeJS.WriteStream, label: string): Progress {
  const draw = (fraction: number, detail: string): void => {
    const filled = Math.round(Math.min(1, Math.max(0, fraction)) * barWidth)
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
    stream.write(
      `\r\u001b[2K${label} ${bar} ${String(Math.floor(fraction * 100)).padStart(3)} % ${printable(detail)}`,
    )
  }
  return {
    update: (fraction, detail = '') => {
      draw(fraction, detail)
    },
    done: (detail = '') => {
      draw(1, detail)
      stream.write('\n')
    },
  }
}

function linesOn(stream: NodeJS.WriteStream, label: string): Progress {
  let nextTenth = 0
  return {
    update: (fraction, detail = '') => {
      if (fraction * 10 < nextTenth) return
      nextTenth = Math.floor(fraction * 10) + 1
      stream.write(`${label}: ${Math.floor(fraction * 100)} % ${printable(detail)}\n`)
    },
    done: (detail = '') => {
      stream.write(`${label}: done ${printable(detail)}\n`)
    },
  }
}

/** Tells a person what went wrong, in one sentence and a hint, and returns the exit status. Never prints a stack. */
export function reportError(thrown: unknown, json: boolean): number {
  const error =
    thrown instanceof AgentError
      ? thrown
      : new AgentError('internal.invariant_broken', messageOf(thrown), { cause: thrown })
  if (json) {
    const { code, message, hint } = error
    process.stdout.write(`${jsonText({ error: { code, message, hint } })}\n`)
  }
  // The problems of the settings stand on a line each; they come from the person who reads them.
  const shown = error.code === 'config.value_invalid' ? printableLines : printable
  const graded = goesToJournal(2) ? errorWithPriority : (text: string): string => text
  process.stderr.write(graded(`yolo-edge: ${error.code}: ${shown(error.message)}\n`))
  if (error.hint !== undefined) process.stderr.write(graded(`hint: ${printable(error.hint)}\n`))
  if (process.env['YOLO_EDGE_DEBUG'] === '1') process.stderr.write(`${printableLines(inspect(thrown))}\n`)
  return error.exitCode
}

/** Right-pads the cells of a table so that columns line up; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
