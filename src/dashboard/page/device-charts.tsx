/** The charts of one device. Invariant: drawn from what was heard since the page is open; nothing is interpolated. */

import type { VNode } from 'preact'
import type { DeviceRecord } from '../fleet/device-record.js'
import { figure, milliseconds } from '../fleet/format.js'
import type { LatencyWindow } from '../fleet/latency-window.js'
import type { Changing } from './changing.js'
import { Chart } from './chart.js'

interface Props extends Changing {
  readonly device: DeviceRecord
  readonly latency: LatencyWindow
}

export function DeviceCharts({ device, latency }: Props): VNode {
  const columns = device.samples.columns()
  const bars = latency.bars()
  const measured = device.reports.filter(({ accuracy }) => accuracy !== undefined)
  const last = (values: readonly (number | null)[]): number | undefined => values.at(-1) ?? undefined
  return (
    <section class="charts" aria-label="Charts">
      <Chart
        title="Latency"
        unit="ms"
        x={columns.atS}
        summary={`inference p95 ${milliseconds(last(columns.p95Ms))} ms now`}
        series={[
          { label: 'capture to result, p95', color: 'ink-3', values: columns.endToEndP95Ms },
          { label: 'inference p95', color: 'ink-2', values: columns.p95Ms },
          { label: 'inference p50', color: 'ink-1', values: columns.p50Ms },
        ]}
      />
      <Chart
        title="Inference of the last frames"
        unit="frames by ms"
        x={bars.atMs}
        isTime={false}
        summary={`median ${milliseconds(bars.p50Ms)} ms, p95 ${milliseconds(bars.p95Ms)} ms over ${bars.frames} frames`}
        series={[{ label: `${bars.frames} frames`, color: 'ink-1', values: bars.counts, isBars: true }]}
      />
      <Chart
        title="Frames a second and temperature"
        unit="fps, °C"
        x={columns.atS}
        summary={`${figure(last(columns.fps), 1)} frames a second, ${figure(last(columns.temperatureC))} °C now`}
        series={[
          { label: 'fps', color: 'ink-1', values: columns.fps },
          { label: '°C', color: 'ink-2', values: columns.temperatureC },
        ]}
      />
      <Chart
        title="Accuracy and drift"
        unit="mAP50-95, PSI"
        x={measured.map(({ at }) => Date.parse(at) / 1000)}
        summary={`mAP ${figure(measured.at(-1)?.accuracy?.map, 3)} in the newest report`}
        series={[
          {
            label: 'mAP',
            color: 'ink-1',
            values: measured.map(({ accuracy }) => accuracy?.map ?? null),
            isPoints: true,
          },
          {
            label: 'score drift',
            color: 'ink-2',
            values: measured.map(({ drift }) => drift?.scorePsi ?? null),
            isPoints: true,
          },
        ]}
      />
    </section>
  )
}
