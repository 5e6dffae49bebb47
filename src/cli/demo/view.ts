/** The live picture of the demo on a terminal. Invariant: a view is a list of lines that fits the given width. */

import { printable } from '../../base/printable.js'
import { table } from '../output.js'
import type { LiveAccuracy, Tally } from './tally.js'

/** The lines to show now, each at most `columns` wide. */
export function viewLines(tally: Tally, columns: number, rows: number): readonly string[] {
  const lines = [...headLines(tally), '', ...detectionLines(tally, rows - 8)]
  return lines
    .map(printable)
    .map((line) => (line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`))
}

function headLines(tally: Tally): readonly string[] {
  const { model, provider, frames, fps, latency, accuracy } = tally.summary()
  if (model === undefined) return [deploymentLine(tally)]
  const { inference, endToEnd } = latency
  return [
    `model      ${model.name} ${model.version} (${model.variant}, ${provider ?? 'no provider'})`,
    `frames     ${frames}, ${fps.toFixed(1)} a second`,
    `inference  p50 ${inference.p50Ms.toFixed(1)} ms  p95 ${inference.p95Ms.toFixed(1)} ms`,
    `end to end p50 ${endToEnd.p50Ms.toFixed(1)} ms  p95 ${endToEnd.p95Ms.toFixed(1)} ms`,
    ...(accuracy === undefined ? [] : [accuracyLine(accuracy)]),
  ]
}

/** Measured against the truth, while it runs. */
export function accuracyLine({ pictures, map, map50 }: LiveAccuracy): string {
  return `accuracy   mAP50 ${map50.toFixed(3)}  mAP50-95 ${map.toFixed(3)}  on ${pictures} pictures`
}

function deploymentLine(tally: Tally): string {
  const { deployment } = tally
  if (deployment === undefined) return 'waiting for a model'
  const progress = deployment.progress === undefined ? '' : ` ${Math.round(deployment.progress * 100)} %`
  return `${deployment.model} ${deployment.version}: ${deployment.state}${progress}`
}

function detectionLines(tally: Tally, most: number): readonly string[] {
  const detections = tally.latest?.detections ?? []
  if (detections.length === 0) return ['nothing in sight']
  const cells = [...detections]
    .sort((a, b) => b.score - a.score)
    .slice(0, Math.max(1, most))
    .map(({ classIndex, className, score, x1, y1, x2, y2 }) => [
      className ?? tally.nameOf(classIndex),
      score.toFixed(2),
      `${Math.round(x1)},${Math.round(y1)} ${Math.round(x2 - x1)}x${Math.round(y2 - y1)}`,
    ])
  return table([['class', 'score', 'box (left,top width x height)'], ...cells]).split('\n')
}

/** Draws views over each other on a terminal. */
export class TerminalView {
  readonly #stream: NodeJS.WriteStream
  #height = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  draw(tally: Tally): void {
    const lines = viewLines(tally, this.#stream.columns, this.#stream.rows)
    const up = this.#height > 0 ? `\u001b[${this.#height}A` : ''
    this.#stream.write(`${up}\u001b[J${lines.join('\n')}\n`)
    this.#height = lines.length
  }
}
