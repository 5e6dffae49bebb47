/**
 * Accuracy against time as SVG: every point that was tried, the front as a line, sizes as areas.
 * Invariant: the drawing needs no script and no font of its own; each point says its figures when pointed at.
 */

import { escaped } from '../../base/markup.js'

export interface PlotPoint {
  readonly label: string
  /** Milliseconds. */
  readonly x: number
  /** mAP50-95 in points. */
  readonly y: number
  /** Bytes of the file: the area of the mark. */
  readonly sizeBytes: number
  /** Chooses the colour: `fp32`, `fp16`, `int8`. */
  readonly kind: string
  /** Whether it lies on the front. */
  readonly isFront: boolean
}

const width = 760
const height = 420
const margin = { left: 62, right: 20, top: 16, bottom: 48 }

/** A plot of `points`, with a dashed line at `baseline` points of mAP. At least one point. */
export function frontPlot(points: readonly PlotPoint[], baseline: number): string {
  const xs = niceScale(0, Math.max(...points.map(({ x }) => x)), margin.left, width - margin.right)
  const ys = niceScale(
    Math.min(...points.map(({ y }) => y), baseline),
    Math.max(...points.map(({ y }) => y), baseline),
    height - margin.bottom,
    margin.top,
  )
  const line = lineOf(points.filter(({ isFront }) => isFront))
  return [
    `<svg class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-label="accuracy against time of every variant that was tried">`,
    ...xs.ticks.map(
      (tick) =>
        `<line class="grid" x1="${at(xs, tick)}" x2="${at(xs, tick)}" y1="${margin.top}" y2="${height - margin.bottom}"/>` +
        `<text class="tick" x="${at(xs, tick)}" y="${height - margin.bottom + 16}" text-anchor="middle">${tick}</text>`,
    ),
    ...ys.ticks.map(
      (tick) =>
        `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${at(ys, tick)}" y2="${at(ys, tick)}"/>` +
        `<text class="tick" x="${margin.left - 8}" y="${at(ys, tick)}" dy="0.32em" text-anchor="end">${tick}</text>`,
    ),
    `<line class="baseline" x1="${margin.left}" x2="${width - margin.right}" y1="${at(ys, baseline)}" y2="${at(ys, baseline)}"/>`,
    `<polyline class="front" points="${line.map(({ x, y }) => `${at(xs, x)},${at(ys, y)}`).join(' ')}"/>`,
    ...points.map((point) => mark(point, at(xs, point.x), at(ys, point.y))),
    `<text class="axis" x="${(margin.left + width - margin.right) / 2}" y="${height - 8}" text-anchor="middle">milliseconds a frame</text>`,
    `<text class="axis" transform="translate(16 ${(margin.top + height - margin.bottom) / 2}) rotate(-90)" text-anchor="middle">mAP50-95, points</text>`,
    '</svg>',
  ].join('')
}

/** The points of a front that none beats in both time and accuracy: others are on it for their size. From left to right. */
function lineOf(front: readonly PlotPoint[]): readonly PlotPoint[] {
  const isBeaten = (point: PlotPoint): boolean =>
    front.some((other) => other !== point && other.x <= point.x && other.y >= point.y)
  return front.filter((point) => !isBeaten(point)).sort((a, b) => a.x - b.x)
}

function mark({ label, x, y, sizeBytes, kind, isFront }: PlotPoint, left: string, top: string): string {
  const radius = (3 + 1.6 * Math.sqrt(sizeBytes / 1e6)).toFixed(1)
  const title = `${label}: ${x.toFixed(1)} ms, mAP ${y.toFixed(2)}, ${(sizeBytes / 1e6).toFixed(2)} MB`
  const state = isFront ? '' : ' beaten'
  return `<circle class="point ${escaped(kind)}${state}" cx="${left}" cy="${top}" r="${radius}"><title>${escaped(title)}</title></circle>`
}

interface Scale {
  readonly low: number
  readonly high: number
  readonly from: number
  readonly to: number
  readonly ticks: readonly number[]
}

function at({ low, high, from, to }: Scale, value: number): string {
  return (from + ((value - low) / (high - low)) * (to - from)).toFixed(1)
}

/** About six steps of 1, 2 or 5 times a power of ten around `low`..`high`. */
function niceScale(low: number, high: number, from: number, to: number): Scale {
  const rough = Math.max((high - low) / 6, 1e-6)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? power
  const [first, last] = [Math.floor(low / step), Math.max(Math.ceil(high / step), Math.floor(low / step) + 1)]
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(6)),
  )
  return { low: first * step, high: last * step, from, to, ticks }
}
