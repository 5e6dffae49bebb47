/**
 * One device in the table. The elements of a row are made once and show one device after the other.
 * Invariant: says in words what it says in color; focus is never handed on to another device.
 */

import { Component, type VNode } from 'preact'
import { driftShift, type FleetRow, isDeploying } from '../fleet/fleet-row.js'
import { figure, milliseconds, percent, words } from '../fleet/format.js'
import type { Samples } from '../fleet/samples.js'
import { RowPlace } from './row-place.js'

interface Props {
  readonly row: FleetRow
  readonly index: number
  readonly top: number
  readonly samples: Samples | undefined
}

const hotC = 80

export class FleetTableRow extends Component<Props> {
  #name: string | undefined
  readonly #row = new RowPlace()
  readonly #link = new RowPlace<HTMLAnchorElement>()
  readonly #status = new RowPlace()
  readonly #board = new RowPlace()
  readonly #model = new RowPlace()
  readonly #version = new RowPlace()
  readonly #variant = new RowPlace()
  readonly #noModel = new RowPlace()
  readonly #fps = new RowPlace()
  readonly #spark = new RowPlace<SVGSVGElement>()
  readonly #sparkLine = new RowPlace<SVGPolylineElement>()
  readonly #p95 = new RowPlace()
  readonly #temperatureCell = new RowPlace()
  readonly #temperature = new RowPlace()
  readonly #throttled = new RowPlace()
  readonly #drift = new RowPlace()
  readonly #map = new RowPlace()
  readonly #deployment = new DeploymentPlaces()

  override componentDidMount(): void {
    this.#show(this.props)
  }

  /** A row is never rendered again: what is new is written into it. */
  override shouldComponentUpdate(next: Props): boolean {
    this.#show(next)
    return false
  }

  override componentWillUnmount(): void {
    this.#link.element?.blur()
  }

  #show({ row, index, top, samples }: Props): void {
    if (this.#name !== undefined && this.#name !== row.name) this.#link.element?.blur()
    this.#name = row.name
    this.#row.set('class', `row status-${row.status}`)
    this.#row.set('aria-rowindex', String(index + 2))
    if (this.#row.element !== undefined) this.#row.element.style.transform = `translateY(${top}px)`
    this.#link.set('data-index', String(index))
    this.#link.set('href', `#/device/${encodeURIComponent(row.name)}`)
    this.#link.say(row.name)
    if (this.#status.show(row.status !== 'online')) this.#status.say(row.status)
    this.#showModel(row)
    this.#showFigures(row, samples)
    this.#deployment.show(row)
  }

  #showModel(row: FleetRow): void {
    this.#board.set('title', row.board)
    this.#board.say(row.board)
    this.#model.set('title', row.why)
    const hasModel = row.version !== ''
    this.#noModel.show(!hasModel)
    if (this.#version.show(hasModel)) this.#version.say(row.version)
    if (this.#variant.show(hasModel)) this.#variant.say(row.variant)
  }

  #showFigures(row: FleetRow, samples: Samples | undefined): void {
    this.#fps.say(figure(row.fps, row.fps !== undefined && row.fps < 10 ? 1 : 0))
    const points = sparkPoints(samples?.recentP95(24) ?? [])
    if (this.#spark.show(points !== undefined)) this.#sparkLine.set('points', points ?? '')
    this.#p95.say(milliseconds(row.p95Ms))
    const isHot = (row.temperatureC ?? 0) > hotC
    this.#temperatureCell.set('class', `cell cell-temperatureC figure${isHot ? ' warm' : ''}`)
    this.#temperature.say(figure(row.temperatureC))
    this.#throttled.show(row.isThrottled)
    if (this.#drift.show(row.drift !== undefined && row.drift > driftShift))
      this.#drift.set('title', `population stability index ${row.drift?.toFixed(2) ?? ''}`)
    this.#map.say(figure(row.map, 3))
  }

  override render(): VNode {
    return (
      <div role="row" ref={this.#row.ref}>
        <div role="cell" class="cell cell-name">
          <span class="dot" aria-hidden="true" />
          <a ref={this.#link.ref} class="device-link" />
          <span ref={this.#status.ref} class="badge" />
        </div>
        <div role="cell" class="cell cell-board" ref={this.#board.ref} />
        <div role="cell" class="cell cell-version" ref={this.#model.ref}>
          <span ref={this.#noModel.ref} class="quiet">
            no model
          </span>
          <b ref={this.#version.ref} /> <span ref={this.#variant.ref} class="quiet" />
        </div>
        <div role="cell" class="cell cell-fps figure">
          <span ref={this.#fps.ref} />
          <span class="unit"> fps</span>
        </div>
        <div role="cell" class="cell cell-p95Ms figure">
          <svg ref={this.#spark.ref} class="spark" viewBox="0 0 46 16" aria-hidden="true">
            <polyline ref={this.#sparkLine.ref} />
          </svg>
          <span ref={this.#p95.ref} />
          <span class="unit"> ms</span>
        </div>
        <div role="cell" ref={this.#temperatureCell.ref}>
          <span ref={this.#temperature.ref} />
          <span class="unit"> °C</span>
          <span ref={this.#throttled.ref} class="badge warn">
            throttled
          </span>
        </div>
        <div role="cell" class="cell cell-map figure">
          <span ref={this.#drift.ref} class="badge warn">
            drift
          </span>
          <span ref={this.#map.ref} />
        </div>
        <div role="cell" class="cell cell-deployment">
          {this.#deployment.render()}
        </div>
      </div>
    )
  }
}

/** What is said of a deployment: at most one of four. */
class DeploymentPlaces {
  readonly #refused = new RowPlace()
  readonly #course = new RowPlace()
  readonly #progress = new RowPlace<HTMLProgressElement>()
  readonly #state = new RowPlace()
  readonly #version = new RowPlace()
  readonly #share = new RowPlace()
  readonly #failure = new RowPlace()
  readonly #done = new RowPlace()

  show({ deployment, progress, deploymentVersion, failure, refused }: FleetRow): void {
    if (this.#refused.show(refused > 0))
      this.#refused.say(refused === 1 ? '1 unreadable message' : `${refused} unreadable messages`)
    const isUnderWay = isDeploying(deployment) && failure === undefined
    if (this.#course.show(refused === 0 && isUnderWay)) {
      this.#showProgress(progress)
      this.#progress.set('aria-label', `${words(deployment)} ${deploymentVersion}`)
      this.#state.say(words(deployment))
      this.#version.say(deploymentVersion)
      this.#share.say(progress === undefined ? '' : percent(progress))
    }
    if (this.#failure.show(refused === 0 && failure !== undefined)) {
      this.#failure.set('title', failure ?? '')
      const reason = failure?.split('.')[1]?.replaceAll('_', ' ') ?? failure ?? ''
      this.#failure.say(`${deploymentVersion} ${reason}`)
    }
    this.#done.show(refused === 0 && failure === undefined && deployment === 'committed')
  }

  #showProgress(progress: number | undefined): void {
    const { element } = this.#progress
    if (element === undefined) return
    if (progress === undefined) element.removeAttribute('value')
    else element.value = progress
  }

  render(): VNode {
    return (
      <>
        <span ref={this.#refused.ref} class="badge warn" />
        <span ref={this.#course.ref} class="deploying">
          <progress ref={this.#progress.ref} max={1} />
          <span>
            <span ref={this.#state.ref} /> <b ref={this.#version.ref} /> <span ref={this.#share.ref} />
          </span>
        </span>
        <span ref={this.#failure.ref} class="badge bad" />
        <span ref={this.#done.ref} class="quiet">
          up to date
        </span>
      </>
    )
  }
}

/** The points of a line without axes: only the shape of the last samples. Undefined for too few. */
function sparkPoints(values: readonly number[]): string | undefined {
  const known = values.filter((value) => !Number.isNaN(value))
  if (known.length < 3) return undefined
  const low = Math.min(...known)
  const high = Math.max(...known)
  const span = Math.max(high - low, high * 0.2, 1e-6)
  return known
    .map(
      (value, index) =>
        `${((index / (known.length - 1)) * 46).toFixed(1)},${(15 - ((value - low) / span) * 13).toFixed(1)}`,
    )
    .join(' ')
}
