/** One chart. Invariant: follows its box and the theme; its figures are also there as text for who cannot see it. */

import uPlot from 'uplot'
import type { VNode } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { theme } from './theme.js'

/** A line or a row of bars; `color` names a custom property of the style sheet. */
export interface ChartSeries {
  readonly label: string
  readonly color: string
  readonly values: readonly (number | null)[]
  readonly isBars?: boolean
  readonly isPoints?: boolean
}

interface Props {
  readonly title: string
  readonly unit: string
  /** Seconds since 1970 unless `isTime` is false. */
  readonly x: readonly number[]
  readonly series: readonly ChartSeries[]
  readonly isTime?: boolean
  /** The newest figures in a sentence. */
  readonly summary: string
  readonly yMin?: number
}

const height = 170

export function Chart({ title, unit, x, series, isTime = true, summary, yMin = 0 }: Props): VNode {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const data = [x, ...series.map(({ values }) => values)] as uPlot.AlignedData
  const key = `${theme.value} ${series.map(({ label }) => label).join()}`
  useLayoutEffect(() => {
    const element = box.current!
    const style = getComputedStyle(element)
    const color = (name: string): string => {
      // Resolved by the browser: a custom property itself still holds both themes.
      element.style.color = `var(--${name})`
      return style.color
    }
    const axis: uPlot.Axis = {
      stroke: color('quiet'),
      grid: { stroke: color('line'), width: 1 },
      ticks: { show: false },
      font: `11px ${style.fontFamily}`,
    }
    const made = new uPlot(
      {
        width: Math.max(160, element.clientWidth),
        height,
        legend: { show: false },
        cursor: { points: { size: 6 }, drag: { x: false, y: false } },
        scales: {
          x: { time: isTime },
          y: { range: (_plot, _low, high) => [yMin, Math.max(high * 1.12, yMin + 1e-3)] },
        },
        axes: [
          { ...axis, space: 70 },
          { ...axis, size: 44, space: 34 },
        ],
        series: [
          {},
          ...series.map(({ label, color: name, isBars, isPoints }) => ({
            label,
            stroke: color(name),
            width: 1.75,
            points: { show: isPoints === true, size: 6, fill: color(name) },
            ...(isBars === true && {
              fill: color(`${name}-soft`),
              paths: uPlot.paths.bars!({ size: [0.92], radius: 0.15 }),
            }),
          })),
        ],
      },
      data,
      element,
    )
    plot.current = made
    const watcher = new ResizeObserver(() => {
      made.setSize({ width: Math.max(160, element.clientWidth), height })
    })
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      made.destroy()
    }
  }, [key])
  useEffect(() => {
    plot.current?.setData(data)
  })
  return (
    <figure class="card chart">
      <figcaption>
        <h2>
          {title} <span class="quiet">{unit}</span>
        </h2>
        <ul class="legend">
          {series.map(({ label, color }) => (
            <li key={label}>
              <span class={`swatch ink-${color}`} aria-hidden="true" />
              {label}
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} class="plot" role="img" aria-label={`${title}: ${summary}`} />
    </figure>
  )
}
