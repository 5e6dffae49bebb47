/** The fleet at a glance. Invariant: filter, search and order are in the page's memory; only rows in sight exist. */

import { signal, useComputed } from '@preact/signals'
import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { type Arrangement, arrangeRows, type FleetFilter, type SortKey } from '../fleet/arrange-rows.js'
import { type FleetSummary, summarize } from '../fleet/fleet-summary.js'
import { figure, milliseconds } from '../fleet/format.js'
import type { FleetFeed } from './fleet-feed.js'
import { FleetTableRow } from './fleet-table-row.js'
import { VirtualList } from './virtual-list.js'

const arrangement = signal<Arrangement>({ filter: 'all', search: '', sort: 'name', isDescending: false })

const columns: readonly { readonly key: SortKey; readonly title: string; readonly isFigure?: boolean }[] = [
  { key: 'name', title: 'Device' },
  { key: 'board', title: 'Board' },
  { key: 'version', title: 'Model' },
  { key: 'fps', title: 'fps', isFigure: true },
  { key: 'p95Ms', title: 'p95 ms', isFigure: true },
  { key: 'temperatureC', title: '°C', isFigure: true },
  { key: 'map', title: 'mAP', isFigure: true },
  { key: 'deployment', title: 'Deployment' },
]

export function FleetView({ feed }: { readonly feed: FleetFeed }): VNode {
  const rows = useComputed(() => {
    feed.followChanges()
    return feed.rows()
  })
  const arranged = useComputed(() => arrangeRows(rows.value, arrangement.value))
  const summary = useComputed(() => summarize(rows.value))
  const search = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.target instanceof HTMLInputElement) {
        if (event.key === 'Escape') event.target.blur()
        return
      }
      if (event.key === '/') {
        event.preventDefault()
        search.current?.focus()
      } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') moveFocus(event)
    }
    addEventListener('keydown', onKey)
    return () => {
      removeEventListener('keydown', onKey)
    }
  }, [])
  const listed = arranged.value
  return (
    <div class="fleet">
      <h1 class="hidden">Fleet</h1>
      <Overview summary={summary.value} />
      <div class="tools">
        <input
          ref={search}
          type="search"
          placeholder="Search devices, boards, versions…"
          aria-label="Search the fleet"
          aria-keyshortcuts="/"
          value={arrangement.value.search}
          onInput={(event) => {
            arrangement.value = { ...arrangement.value, search: event.currentTarget.value }
          }}
        />
        <p class="quiet" role="status">
          {listed.length === rows.value.length
            ? `${listed.length} devices`
            : `${listed.length} of ${rows.value.length} devices`}
        </p>
        <SortChoice />
      </div>
      {listed.length === 0 ? (
        <Empty feed={feed} isFiltered={rows.value.length > 0} />
      ) : (
        <VirtualList
          count={listed.length}
          nameOf={(index) => listed[index]!.name}
          label="Devices"
          columnCount={columns.length}
          head={<TableHead />}
          renderRow={(index, { slot, top }) => {
            const row = listed[index]!
            const device = feed.store.devices.get(row.name)
            return <FleetTableRow key={slot} row={row} index={index} top={top} samples={device?.samples} />
          }}
        />
      )}
    </div>
  )
}

function Empty({ feed, isFiltered }: { readonly feed: FleetFeed; readonly isFiltered: boolean }): VNode {
  const isOnline = feed.link.state.value.kind === 'online'
  return (
    <div class="card empty">
      <h2>
        {isFiltered ? 'No device matches' : isOnline ? 'No device has spoken yet' : 'Waiting for the broker'}
      </h2>
      <p class="quiet">
        {isFiltered
          ? 'Clear the search or choose another part of the fleet.'
          : isOnline
            ? `Nothing is retained below ${feed.settings.value?.root ?? ''}. Start an agent, or check the topic root.`
            : 'Devices appear as soon as the connection is there.'}
      </p>
    </div>
  )
}

/** Moves the focus between the rows in sight. */
function moveFocus(event: KeyboardEvent): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>('.table-body .device-link')]
  if (links.length === 0) return
  links.sort((one, other) => Number(one.dataset['index']) - Number(other.dataset['index']))
  const at = links.findIndex((link) => link === document.activeElement)
  const to = at === -1 ? 0 : at + (event.key === 'ArrowDown' ? 1 : -1)
  const link = links[to]
  if (link === undefined) return
  event.preventDefault()
  link.focus({ preventScroll: true })
  link.scrollIntoView({ block: 'nearest' })
}

function sortBy(key: SortKey): void {
  const { sort, isDescending } = arrangement.value
  const startsDescending = key === 'fps' || key === 'p95Ms' || key === 'temperatureC'
  const isAgain = sort === key
  arrangement.value = {
    ...arrangement.value,
    sort: key,
    isDescending: isAgain ? !isDescending : startsDescending,
  }
}

function TableHead(): VNode {
  const { sort, isDescending } = arrangement.value
  return (
    <div role="row" class="row head" aria-rowindex={1}>
      {columns.map(({ key, title, isFigure }) => (
        <div
          key={key}
          role="columnheader"
          class={`cell cell-${key}${isFigure === true ? ' figure' : ''}`}
          aria-sort={sort === key ? (isDescending ? 'descending' : 'ascending') : 'none'}
        >
          <button
            type="button"
            onClick={() => {
              sortBy(key)
            }}
          >
            {title}
            <span class="arrow" aria-hidden="true">
              {sort === key ? (isDescending ? '↓' : '↑') : ''}
            </span>
          </button>
        </div>
      ))}
    </div>
  )
}

/** The order for small screens, where the table has no head. */
function SortChoice(): VNode {
  return (
    <label class="sort-choice">
      <span class="hidden">Order by</span>
      <select
        value={arrangement.value.sort}
        onChange={(event) => {
          const column = columns.find(({ key }) => key === event.currentTarget.value)
          if (column !== undefined) sortBy(column.key)
        }}
      >
        {columns.map(({ key, title }) => (
          <option key={key} value={key}>
            {title}
          </option>
        ))}
      </select>
    </label>
  )
}

const tiles: readonly {
  readonly filter: FleetFilter
  readonly title: string
  readonly key: 'devices' | 'online' | 'down' | 'deploying' | 'look'
}[] = [
  { filter: 'all', title: 'devices', key: 'devices' },
  { filter: 'online', title: 'online', key: 'online' },
  { filter: 'down', title: 'not online', key: 'down' },
  { filter: 'deploying', title: 'deploying', key: 'deploying' },
  { filter: 'look', title: 'need a look', key: 'look' },
]

function Overview({ summary }: { readonly summary: FleetSummary }): VNode {
  const { filter } = arrangement.value
  return (
    <section class="overview" aria-label="Overview">
      <div class="tiles">
        {tiles.map((tile) => (
          <button
            key={tile.filter}
            type="button"
            class={`tile tile-${tile.filter}${summary[tile.key] === 0 ? ' none' : ''}`}
            aria-pressed={filter === tile.filter}
            onClick={() => {
              arrangement.value = { ...arrangement.value, filter: tile.filter }
            }}
          >
            <strong>{summary[tile.key]}</strong>
            <span>{tile.title}</span>
          </button>
        ))}
        <div class="tile plain">
          <strong>{figure(summary.fps)}</strong>
          <span>frames a second</span>
        </div>
        <div class="tile plain">
          <strong>{milliseconds(summary.medianP95Ms)}</strong>
          <span>median p95, ms</span>
        </div>
      </div>
      <VersionBar summary={summary} />
    </section>
  )
}

const shownVersions = 5

function VersionBar({ summary: { versions, devices } }: { readonly summary: FleetSummary }): VNode | null {
  if (devices === 0) return null
  const shown = versions.slice(0, shownVersions)
  const rest = versions.slice(shownVersions).reduce((sum, { count }) => sum + count, 0)
  const parts = rest > 0 ? [...shown, { name: 'other versions', count: rest }] : shown
  return (
    <div class="versions">
      <div class="bar" aria-hidden="true">
        {parts.map(({ name, count }, index) => (
          <span key={name} class={`part part-${index}`} style={{ flexGrow: count }} />
        ))}
      </div>
      <ul>
        {parts.map(({ name, count }, index) => (
          <li key={name}>
            <span class={`swatch part-${index}`} aria-hidden="true" />
            {name === '' ? 'no model' : name} <b>{count}</b>
          </li>
        ))}
      </ul>
    </div>
  )
}
