/**
 * The report of a search as one HTML file.
 * Invariant: it is complete in itself: no script, no font, no picture from elsewhere; it reads the same offline.
 */

import { escaped } from '../../base/markup.js'
import { candidateId } from '../../compress/search/candidate.js'
import { frontOf } from '../../compress/search/front.js'
import type { MeasuredTrial } from '../../compress/search/trial.js'
import type { LayerFigures } from '../search/layer-figures.js'
import type { PicturePair } from '../search/picture-pairs.js'
import type { Choice, SearchOutcome } from '../search/search-outcome.js'
import { frontPlot } from './front-plot.js'
import { htmlTable } from './html.js'
import { histogramChart, sensitivityChart } from './layer-charts.js'
import { reportStyle } from './report-style.js'

export interface ReportContent {
  readonly outcome: SearchOutcome
  readonly layers: LayerFigures
  readonly pictures: readonly PicturePair[]
  /** In words. */
  readonly machine: string
  readonly toolVersion: string
}

export function reportHtml(content: ReportContent): string {
  const { outcome, toolVersion } = content
  const title = `${outcome.request.name}: variants and what they cost`
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
    `<link rel="icon" href="data:,"><title>${escaped(title)}</title><style>${reportStyle}</style></head><body><main>`,
    `<h1>${escaped(title)}</h1>`,
    `<p>${setting(content)}</p>`,
    `<section class="answers">${outcome.choices.map(answer).join('')}</section>`,
    ...plotSection(outcome),
    ...variantSection(outcome),
    ...refusedSection(outcome),
    ...layerSections(content.layers),
    ...pictureSection(content.pictures),
    `<h2>Again</h2><pre id="command">${escaped(outcome.request.command)}</pre>`,
    `<p>yolo-edge ${escaped(toolVersion)}</p></main></body></html>`,
    '',
  ].join('\n')
}

function setting({ outcome, machine }: ReportContent): string {
  const { request, sourceMs, startedAtMs, outOfTime } = outcome
  const { dataset, images } = request
  const end = outOfTime ? ' The search ended because its time was over.' : ''
  return escaped(
    `Measured on ${dataset.images.length} pictures of ${dataset.name}, calibrated with ${images.count}; times on ${machine}, ` +
      `the export (${sourceMs.toFixed(1)} ms) and all variants in turns. Begun ${new Date(startedAtMs).toISOString().slice(0, 16).replace('T', ' ')} UTC.${end}`,
  )
}

function answer({ budget, best }: Choice): string {
  const asked = `<p>${escaped(budget.text)}</p>`
  if (best === undefined)
    return `<div class="answer">${asked}<strong>nothing</strong><p>no variant is within it</p></div>`
  const { figures, candidate } = best
  return (
    `<div class="answer">${asked}<strong>${figures.speedUp.toFixed(2)} times as fast</strong>` +
    `<p><code>${candidateId(candidate)}</code>: ${figures.ms.toFixed(1)} ms, ${points(best)} points of mAP, ${mega(figures.sizeBytes)} MB</p></div>`
  )
}

function plotSection({ trials, request }: SearchOutcome): readonly string[] {
  const here = trials.filter(
    ({ candidate: { precision, target } }) =>
      precision === 'fp32' || (precision === 'int8' && target === request.settings.hostTarget),
  )
  const front = new Set(frontOf(here).kept)
  const baseline = here[0]!.figures.map - here[0]!.figures.difference.value
  const kinds = [...new Set(here.map(({ candidate }) => candidate.precision))]
  const plot = frontPlot(
    here.map((trial) => ({
      label: candidateId(trial.candidate),
      x: trial.figures.ms,
      y: 100 * trial.figures.map,
      sizeBytes: trial.figures.sizeBytes,
      kind: trial.candidate.precision,
      isFront: front.has(trial),
    })),
    100 * baseline,
  )
  return [
    '<h2>Accuracy against time</h2>',
    '<p>Every variant for this machine that was tried; the area of a mark is the size of its file, the dashed line the accuracy of the export. Marks off the line are beaten by another in everything.</p>',
    `<p class="legend">${kinds.map((kind) => `<span style="--own: var(--${kind})">${kind}</span>`).join('')}</p>`,
    plot,
  ]
}

function variantSection({ trials, variants, dropped }: SearchOutcome): readonly string[] {
  const kept = new Set(variants)
  const beatenBy = new Map(dropped.map(({ trial, by }) => [trial, by]))
  const rows = trials.map((trial) => {
    const { figures, candidate } = trial
    const by = beatenBy.get(trial)
    return [
      `<code>${candidateId(candidate)}</code>`,
      kept.has(trial) ? 'in the bundle' : `beaten by <code>${candidateId((by ?? trial).candidate)}</code>`,
      (100 * figures.map).toFixed(2),
      `${points(trial)} (${(100 * figures.difference.low).toFixed(2)} .. ${(100 * figures.difference.high).toFixed(2)})`,
      (100 * figures.map50).toFixed(2),
      figures.ms.toFixed(1),
      figures.speedUp.toFixed(2),
      mega(figures.sizeBytes),
      mega(figures.packedBytes),
      (figures.macs / 1e9).toFixed(2),
    ]
  })
  const head = [
    'variant',
    '',
    'mAP50-95',
    'against the export',
    'mAP50',
    'ms',
    'times',
    'MB',
    'MB packed',
    'GMAC',
  ]
  return [
    '<h2>Variants</h2>',
    '<p>Accuracy in points; in brackets the 95 % interval of the difference on these pictures. Times of forms for other hardware were taken on this machine and mean little.</p>',
    htmlTable(head, rows, 2),
  ]
}

function refusedSection({ refused, choices }: SearchOutcome): readonly string[] {
  const rows = [
    ...refused.map(({ candidate, reason }) => [
      `<code>${candidateId(candidate)}</code>`,
      `<span class="reason">${escaped(reason)}</span>`,
    ]),
    ...choices
      .filter(({ best }) => best === undefined)
      .map(({ budget }) => [escaped(budget.text), 'no variant is within this budget']),
  ]
  return rows.length === 0 ? [] : ['<h2>Refused</h2>', htmlTable(['what', 'why'], rows, 2)]
}

function layerSections(figures: LayerFigures): readonly string[] {
  if (figures.layers.length === 0) return []
  return [
    '<h2>Layers that suffer most from integers</h2>',
    '<p>Each layer quantised alone: mean squared change of what the heads say where the export sees something.</p>',
    sensitivityChart(figures),
    '<h2>Values of the worst layers</h2>',
    '<p>Share of the values, logarithmic; shaded is what the 8-bit integers reach.</p>',
    `<div class="charts">${figures.histograms.map(histogramChart).join('')}</div>`,
  ]
}

function pictureSection(pictures: readonly PicturePair[]): readonly string[] {
  if (pictures.length === 0) return []
  const image = (bytes: Uint8Array, text: string): string =>
    `<figure><img alt="${escaped(text)}" src="data:image/jpeg;base64,${Buffer.from(bytes).toString('base64')}"><figcaption>${escaped(text)}</figcaption></figure>`
  return [
    '<h2>The same pictures</h2>',
    ...pictures.map(
      ({ name, variant, counts, ...files }) =>
        `<div class="pair">${image(files.export, `${name}, export: ${counts[0]} found`)}${image(files.compressed, `${variant}: ${counts[1]} found`)}</div>`,
    ),
  ]
}

function points({ figures }: MeasuredTrial): string {
  const value = 100 * figures.difference.value
  return `${value > 0 ? '+' : ''}${value.toFixed(2)}`
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
