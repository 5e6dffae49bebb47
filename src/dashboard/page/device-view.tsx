/** One device up close. Invariant: what it shows was heard from this device; it listens only while it is open. */

import { useSignal } from '@preact/signals'
import type { VNode } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { FrameDetections } from '../../protocol/detections.js'
import { unverifiedPayload } from '../../protocol/envelope-form.js'
import { manifestPayloadType, parseManifest } from '../../protocol/manifest.js'
import type { DeviceRecord } from '../fleet/device-record.js'
import { rowOf } from '../fleet/fleet-row.js'
import { every, monotonicMs } from './browser-clock.js'
import type { Changing } from './changing.js'
import { DeviceCharts } from './device-charts.js'
import { DeviceHardware, DeviceHistory, DeviceModel, TrialTable } from './device-facts.js'
import { DetectionList } from './detection-list.js'
import type { FleetFeed } from './fleet-feed.js'
import { LatencyWindow } from '../fleet/latency-window.js'
import { LivePicture } from './live-picture.js'

interface Props {
  readonly feed: FleetFeed
  readonly name: string
}

export function DeviceView({ feed, name }: Props): VNode {
  const changes = feed.followChanges()
  const device = feed.store.devices.get(name)
  if (device === undefined)
    return (
      <div class="card empty">
        <h1>{name}</h1>
        <p class="quiet">Nothing has been heard of this device.</p>
        <a href="#/">Back to the fleet</a>
      </div>
    )
  return <OpenDevice feed={feed} device={device} changes={changes} />
}

interface OpenProps extends Changing {
  readonly feed: FleetFeed
  readonly device: DeviceRecord
}

function OpenDevice({ feed, device, changes }: OpenProps): VNode {
  const cameras = [...new Set([...(device.info?.cameras ?? []), ...device.live.cameras.split('/')])]
    .filter(Boolean)
    .slice(0, 64)
  const chosen = useSignal<string | undefined>(undefined)
  const camera = chosen.value !== undefined && cameras.includes(chosen.value) ? chosen.value : cameras[0]
  const latency = useMemo(() => new LatencyWindow(1500), [camera])
  const lastFrame = useRef<FrameDetections | undefined>(undefined)
  const shownFrame = useSignal<FrameDetections | undefined>(undefined)
  const classNames = useClassNames(feed, device)
  // Faster than this nobody reads.
  useEffect(
    () =>
      every(250, () => {
        shownFrame.value = lastFrame.current
      }),
    [],
  )
  const row = rowOf(device, monotonicMs())
  return (
    <div class="device">
      <div class="device-head">
        <a class="back" href="#/" aria-label="Back to the fleet">
          ←
        </a>
        <h1>{device.name}</h1>
        <span class={`badge status status-${row.status}`}>
          <span class="dot" aria-hidden="true" />
          {row.status}
        </span>
        <span class="quiet">{row.board}</span>
      </div>
      {device.refusal !== undefined && (
        <p class="problem" role="alert">
          {`${device.refused} of its messages could not be read. The last one: ${device.refusal}.`}
        </p>
      )}
      <div class="device-grid">
        <section class="card watch" aria-label="Live">
          {cameras.length > 1 && (
            <div class="tabs" role="group" aria-label="Cameras">
              {cameras.map((each) => (
                <button
                  key={each}
                  type="button"
                  aria-pressed={each === camera}
                  onClick={() => {
                    chosen.value = each
                  }}
                >
                  {each}
                </button>
              ))}
            </div>
          )}
          {camera === undefined ? (
            <p class="quiet">This device names no camera.</p>
          ) : (
            <LivePicture
              key={camera}
              feed={feed}
              device={device.name}
              camera={camera}
              classNames={classNames}
              onFrame={(frame) => {
                lastFrame.current = frame
                latency.add(frame.latency.inferenceMs)
              }}
            />
          )}
        </section>
        <div class="side">
          <DeviceModel device={device} changes={changes} row={row} />
          <DetectionList frame={shownFrame.value} classNames={classNames} />
        </div>
      </div>
      <DeviceCharts device={device} changes={changes} latency={latency} />
      <div class="device-columns">
        <DeviceHistory device={device} changes={changes} />
        <TrialTable device={device} changes={changes} />
        <DeviceHardware device={device} changes={changes} row={row} />
      </div>
    </div>
  )
}

/** The class names of the serving model, from its manifest on the broker; for showing, so unverified. */
function useClassNames(feed: FleetFeed, device: DeviceRecord): readonly string[] {
  const names = useSignal<readonly string[]>([])
  const { model, version } = device.reported?.active ?? {}
  useEffect(() => {
    names.value = []
    const { topics } = feed
    if (topics === undefined || model === undefined || version === undefined) return undefined
    return feed.closeUp([topics.manifest(model, version)], (topic, payload) => {
      if (topic.kind !== 'manifest' || topic.model !== model || topic.version !== version) return
      try {
        names.value = parseManifest(unverifiedPayload(payload, [manifestPayloadType]).payload).classNames
      } catch {
        // Without a manifest that can be read, classes are shown by their number.
      }
    })
  }, [model, version])
  return names.value
}
