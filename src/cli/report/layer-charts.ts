/** Bars of layer sensitivities and histograms of layers, as SVG. Invariant: no script; every mark says its figures. */

import { escaped } from '../../base/markup.js'
import type { LayerFigures, LayerHistogram } from '../search/layer-figures.js'

const shownLayers = 20
const rowHeight = 20
const labelWidth = 250
const barWidth = 400

/** The most sensitive layers; bars are as long as the square root of the error, so that small ones can be seen. */
export function sensitivityChart({ layers }: Pick<LayerFigures, 'layers'>): string {
  const shown = layers.slice(0, shownLayers)
  const largest = Math.sqrt(Math.max(...shown.map(({ error }) => error), 1e-12))
  const rows = shown.map(({ name, error }, index) => {
    const y = index * rowHeight
    const length = Math.max(1, (Math.sqrt(error) / largest) * barWidth).toFixed(1)
    return (
      `<text class="tick" x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="bar" x="${labelWidth}" y="${y + 3}" width="${length}" height="${rowHeight - 6}"><title>${escaped(name)}: ${error.toExponential(2)}</title></rect>` +
      `<text class="tick" x="${(labelWidth + Number(length) + 6).toFixed(1)}" y="${y + 14}">${error.toExponential(1)}</text>`
    )
  })
  const height = shown.length * rowHeight
  return `<svg class="bars" viewBox="0 0 740 ${height}" role="img" aria-label="the layers that suffer most from integers">${rows.join('')}</svg>`
}

const chartWidth = 340
const chartHeight = 110

/** The values of one layer on the pictures, and the part of them that the integers reach. */
export function histogramChart({ layer, min, max, low, high, shares }: LayerHistogram): string {
  // Logarithmic: SiLU puts nearly everything beside zero, and what matters is far out.
  const heights = shares.map((share) => (share > 0 ? Math.max(0, 6 + Math.log10(share)) / 6 : 0))
  const step = chartWidth / shares.length
  const position = (value: number): number =>
    Math.min(chartWidth, Math.max(0, ((value - min) / Math.max(max - min, 1e-9)) * chartWidth))
  const [from, to] = [position(low), position(high)]
  const bars = heights.map((share, index) => {
    const bar = share * (chartHeight - 20)
    return `<rect class="bar" x="${(index * step).toFixed(1)}" y="${(chartHeight - 20 - bar).toFixed(1)}" width="${Math.max(1, step - 1).toFixed(1)}" height="${bar.toFixed(1)}"/>`
  })
  return (
    `<figure><svg class="histogram" viewBox="0 0 ${chartWidth} ${chartHeight}" role="img" aria-label="values of ${escaped(layer)}">` +
    `<rect class="range" x="${from.toFixed(1)}" y="0" width="${(to - from).toFixed(1)}" height="${chartHeight - 20}"/>` +
    `${bars.join('')}<text class="tick" x="0" y="${chartHeight - 5}">${min.toFixed(2)}</text>` +
    `<text class="tick" x="${chartWidth}" y="${chartHeight - 5}" text-anchor="end">${max.toFixed(2)}</text></svg>` +
    `<figcaption><code>${escaped(layer)}</code>: integers reach ${low.toFixed(2)} .. ${high.toFixed(2)}</figcaption></figure>`
  )
}
