/** One device in the table. Invariant: says in words what it says in colour; focus is never handed on to another device. */

import type { VNode } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { driftShift, type FleetRow, isDeploying } from '../fleet/fleet-row.js'
import { figure, milliseconds, percent, words } from '../fleet/format.js'
import type { Samples } from '../fleet/samples.js'

interface Props {
  readonly row: FleetRow
  readonly index: number
  readonly top: number
  readonly samples: Samples | undefined
}

const hotC = 80

export function FleetTableRow({ row, index, top, samples }: Props): VNode {
  const link = useRef<HTMLAnchorElement>(null)
  useLayoutEffect(
    () => () => {
      link.current?.blur()
    },
    [row.name],
  )
  return (
    <div
      role="row"
      class={`row status-${row.status}`}
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell" class="cell cell-name">
        <span class="dot" aria-hidden="true" />
        <a
          ref={link}
          class="device-link"
          data-index={index}
          href={`#/device/${encodeURIComponent(row.name)}`}
        >
          {row.name}
        </a>
        {row.status !== 'online' && <span class="badge">{row.status}</span>}
      </div>
      <div role="cell" class="cell cell-board" title={row.board}>
        {row.board}
      </div>
      <div role="cell" class="cell cell-version" title={row.why}>
        {row.version === '' ? (
          <span class="quiet">no model</span>
        ) : (
          <>
            <b>{row.version}</b> <span class="quiet">{row.variant}</span>
          </>
        )}
      </div>
      <div role="cell" class="cell cell-fps figure">
        {figure(row.fps, row.fps !== undefined && row.fps < 10 ? 1 : 0)}
        <span class="unit"> fps</span>
      </div>
      <div role="cell" class="cell cell-p95Ms figure">
        <Spark values={samples?.recentP95(24) ?? []} />
        {milliseconds(row.p95Ms)}
        <span class="unit"> ms</span>
      </div>
      <div
        role="cell"
        class={`cell cell-temperatureC figure${(row.temperatureC ?? 0) > hotC ? ' warm' : ''}`}
      >
        {figure(row.temperatureC)}
        <span class="unit"> °C</span>
        {row.isThrottled && <span class="badge warn">throttled</span>}
      </div>
      <div role="cell" class="cell cell-map figure">
        {row.drift !== undefined && row.drift > driftShift && (
          <span class="badge warn" title={`population stability index ${row.drift.toFixed(2)}`}>
            drift
          </span>
        )}
        {figure(row.map, 3)}
      </div>
      <div role="cell" class="cell cell-deployment">
        <DeploymentCell row={row} />
      </div>
    </div>
  )
}

function DeploymentCell({ row }: { readonly row: FleetRow }): VNode | null {
  const { deployment, progress, deploymentVersion, failure } = row
  if (row.refused > 0)
    return (
      <span class="badge warn">
        {row.refused === 1 ? '1 unreadable message' : `${row.refused} unreadable messages`}
      </span>
    )
  if (isDeploying(deployment) && failure === undefined)
    return (
      <span class="deploying">
        <progress value={progress} max={1} aria-label={`${words(deployment)} ${deploymentVersion}`} />
        <span>
          {words(deployment)} <b>{deploymentVersion}</b> {progress !== undefined && percent(progress)}
        </span>
      </span>
    )
  if (failure !== undefined)
    return (
      <span class="badge bad" title={failure}>
        {deploymentVersion} {failure.split('.')[1]?.replaceAll('_', ' ') ?? failure}
      </span>
    )
  return deployment === 'committed' ? <span class="quiet">up to date</span> : null
}

/** A line without axes: only the shape of the last samples. */
function Spark({ values }: { readonly values: readonly number[] }): VNode | null {
  const known = values.filter((value) => !Number.isNaN(value))
  if (known.length < 3) return null
  const low = Math.min(...known)
  const span = Math.max(Math.max(...known) - low, Math.max(...known) * 0.2, 1e-6)
  const points = known
    .map(
      (value, index) =>
        `${((index / (known.length - 1)) * 46).toFixed(1)},${(15 - ((value - low) / span) * 13).toFixed(1)}`,
    )
    .join(' ')
  return (
    <svg class="spark" viewBox="0 0 46 16" aria-hidden="true">
      <polyline points={points} />
    </svg>
  )
}
