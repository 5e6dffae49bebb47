/**
 * The report of one compression as one HTML file.
 * Invariant: it is complete in itself: no script, no font, no picture from elsewhere; it tells the figures of report.json.
 */

import { escaped } from '../../base/markup.js'
import type { LayerSensitivity } from '../../compress/quantization/sensitivity.js'
import { type CheckVerdict, picturesText } from '../compress/check-verdict.js'
import type { CompressReport, ModelReport } from '../compress/compress-report.js'
import type { RangesReport } from '../compress/int8-step.js'
import { checkedConfidence, type CheckFigures } from '../compress/self-check.js'
import { packageVersion } from '../package-version.js'
import { htmlTable } from './html.js'
import { sensitivityChart } from './layer-charts.js'
import { reportStyle } from './report-style.js'

export interface CompressionContent {
  readonly report: CompressReport
  /** Of int8 models. */
  readonly verdict: CheckVerdict | undefined
  /** The most sensitive first; none where no one asked for them. */
  readonly layers: readonly LayerSensitivity[]
  /** Of int8 models, by target. */
  readonly ranges: readonly { readonly target: string; readonly ranges: RangesReport }[]
  /** As it was typed. */
  readonly command: string
}

export function compressionHtml({ report, verdict, layers, ranges, command }: CompressionContent): string {
  const title = `${report.source.file}: compressed`
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
    `<link rel="icon" href="data:,"><title>${escaped(title)}</title><style>${reportStyle}</style></head><body><main>`,
    `<h1>${escaped(title)}</h1>`,
    ...(verdict?.warnings ?? []).map(
      (warning) => `<p class="warning"><strong>${escaped(warning)}</strong></p>`,
    ),
    ...fileSection(report),
    ...(verdict === undefined ? [] : checkSection(verdict)),
    ...(ranges.length === 0 ? [] : rangeSection(ranges)),
    ...(layers.length === 0
      ? []
      : [
          '<h2>Layers that suffer most from integers</h2>',
          '<p>Each layer quantised alone: mean squared change of what the heads say where float sees something.</p>',
          sensitivityChart({ layers }),
        ]),
    `<h2>Again</h2><pre id="command">${escaped(command)}</pre>`,
    `<p>yolo-edge ${escaped(packageVersion())}; report.json holds every figure</p></main></body></html>`,
    '',
  ].join('\n')
}

function fileSection({ source, models, seconds }: CompressReport): readonly string[] {
  const rows = [source, ...models].map((model: ModelReport) => [
    `<code>${escaped(model.file)}</code>`,
    escaped(model.machines ?? ''),
    (model.size_bytes / 1e6).toFixed(2),
    model.macs === null ? '' : (model.macs / 1e9).toFixed(3),
    model.parameters.toLocaleString('en'),
  ])
  return [
    '<h2>Files</h2>',
    `<p>The first is the source; made in ${seconds.toFixed(1)} s.</p>`,
    htmlTable(['file', 'for', 'MB', 'GMAC', 'parameters'], rows, 2),
  ]
}

function checkSection({ check, minAgreement }: CheckVerdict): readonly string[] {
  const cells = ({ floatFinds, int8Finds, f1, largestDifference }: CheckFigures): readonly string[] => [
    String(floatFinds),
    String(int8Finds),
    f1.toFixed(3),
    largestDifference.toFixed(2),
  ]
  const rows = check.models.flatMap(({ name, kinds, ...all }) => [
    [`<code>${escaped(name)}</code>`, 'all', ...cells(all)],
    ...kinds.map(({ kind, ...figures }) => ['', kind, ...cells(figures)]),
  ])
  return [
    '<h2>int8 beside float</h2>',
    `<p>On ${escaped(picturesText(check))}; objects at confidence ${checkedConfidence}, matched by class and overlap; ` +
      `expected is an F1 of at least ${minAgreement}. The check took ${check.seconds.toFixed(1)} s.</p>`,
    htmlTable(
      ['int8 for', 'pictures', 'float finds', 'int8 finds', 'F1', 'largest score difference'],
      rows,
      2,
    ),
  ]
}

/** Rows of the table of saturated values: more would say nothing new. */
const shownValues = 12

function rangeSection(each: CompressionContent['ranges']): readonly string[] {
  const totals = each.map(({ target, ranges }) => [
    `<code>${escaped(target)}</code>`,
    String(ranges.hardly_exercised.length),
    String(ranges.saturated.length),
    String(ranges.raised_rows.reduce((sum, { rows }) => sum + rows, 0)),
  ])
  const worst = each.flatMap(({ target, ranges }) =>
    ranges.saturated
      .toSorted((a, b) => b.share - a.share)
      .slice(0, shownValues)
      .map(({ value, share }) => [
        `<code>${escaped(target)}</code>`,
        `<code>${escaped(value)}</code>`,
        `${(100 * share).toPrecision(2)} %`,
      ]),
  )
  return [
    '<h2>Ranges of the integers</h2>',
    '<p>Values that the calibration pictures hardly exercised have ranges from drawn pictures; saturated ones left their range on ' +
      'the calibration pictures; rows of weights near zero have a scale that holds their bias.</p>',
    htmlTable(['int8 for', 'hardly exercised', 'saturated', 'rows near zero'], totals, 1),
    ...(worst.length === 0
      ? []
      : [htmlTable(['int8 for', 'saturated most', 'share of what was seen'], worst, 2)]),
  ]
}
