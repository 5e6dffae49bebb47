/** What a device is, runs, and has gone through. Invariant: every refusal and rollback stands with its reason. */

import type { VNode } from 'preact'
import { failureOf } from '../../protocol/deployment.js'
import { type DeploymentCourse, type DeviceRecord, deploymentOf } from '../fleet/device-record.js'
import { type FleetRow, isDeploying } from '../fleet/fleet-row.js'
import { bytes, duration, figure, milliseconds, percent, words } from '../fleet/format.js'
import { wallMs } from './browser-clock.js'
import type { Changing } from './changing.js'

interface Props extends Changing {
  readonly device: DeviceRecord
  readonly row: FleetRow
}

/** How long ago `at` was. */
function ago(at: string): string {
  const spanMs = wallMs() - Date.parse(at)
  return spanMs < 2000 ? 'just now' : `${duration(spanMs)} ago`
}

function Fact({ name, children }: { readonly name: string; readonly children: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

export function DeviceModel({ device, row }: Props): VNode {
  const active = device.reported?.active
  const { previous, refused, refusedWish, distrusted } = device.reported ?? {}
  const deployment = deploymentOf(device)
  const isMoving = deployment !== undefined && isDeploying(deployment.state)
  return (
    <section class="card model" aria-label="Model">
      <h2>Serving now</h2>
      {active === undefined ? (
        <p class="quiet">No model serves on this device.</p>
      ) : (
        <>
          <p class="model-name">
            {active.model} <b>{active.version}</b>
          </p>
          <p class="chips">
            <span class="badge">{active.variant}</span>
            <span class="badge">{active.provider}</span>
            <span class="quiet">since {ago(active.since)}</span>
          </p>
          {active.why !== undefined && <p class="why">Chosen because: {active.why}</p>}
          {previous !== undefined && (
            <p class="quiet">
              Can go back to {previous.version} {previous.variant}
            </p>
          )}
        </>
      )}
      {refused !== undefined && (
        <p class="reason">
          Did not take {refused.version} {ago(refused.at)}: {refused.error.message}{' '}
          <code>{refused.error.code}</code>
        </p>
      )}
      {refusedWish !== undefined && (
        <p class="reason">
          Did not take the wish for {refusedWish.target.kind} {refusedWish.target.name} {ago(refusedWish.at)}:{' '}
          {refusedWish.error.message} <code>{refusedWish.error.code}</code>
        </p>
      )}
      {distrusted !== undefined && (
        <p class="reason">
          What serves would not be accepted today: {distrusted.message} <code>{distrusted.code}</code>
        </p>
      )}
      <dl class="now">
        <Fact name="fps">{figure(row.fps, 1)}</Fact>
        <Fact name="p95 ms">{milliseconds(row.p95Ms)}</Fact>
        <Fact name="°C">{figure(row.temperatureC)}</Fact>
        <Fact name="mAP">{figure(row.map, 3)}</Fact>
      </dl>
      {isMoving && (
        <div class="moving">
          <p>
            {words(deployment.state)} <b>{deployment.version}</b>
            {deployment.progress !== undefined && ` ${percent(deployment.progress)}`}
            {deployment.etaMs !== undefined && `, ${duration(deployment.etaMs)} to go`}
          </p>
          <progress value={deployment.progress} max={1} aria-label="Progress of the deployment" />
        </div>
      )}
    </section>
  )
}

export function DeviceHistory({ device }: Omit<Props, 'row'>): VNode {
  return (
    <section class="card history" aria-label="Deployments">
      <h2>Deployments</h2>
      {device.courses.length === 0 ? (
        <p class="quiet">None since this page is open.</p>
      ) : (
        <ol>
          {device.courses.map((course) => (
            <Course key={course.id} course={course} />
          ))}
        </ol>
      )}
    </section>
  )
}

/** The word for how a deployment went. */
function outcomeOf({ latest, error, states }: DeploymentCourse): {
  readonly word: string
  readonly tone: string
} {
  if (error !== undefined && failureOf(error) === undefined) return { word: 'ended', tone: 'going' }
  if (error !== undefined) {
    const isBack = states.some(({ state }) => state === 'rollingBack')
    return { word: isBack ? 'rolled back' : 'refused', tone: 'bad' }
  }
  if (latest.state === 'committed' || latest.state === 'idle') return { word: 'committed', tone: 'good' }
  return { word: words(latest.state), tone: 'going' }
}

function Course({ course }: { readonly course: DeploymentCourse }): VNode {
  const { latest, states, error } = course
  const { word, tone } = outcomeOf(course)
  return (
    <li>
      <p class="course-head">
        <span class={`badge ${tone}`}>{word}</span>
        <b>
          {latest.model} {latest.version}
        </b>
        <span class="quiet">
          {latest.variant ?? ''} {ago(latest.at)}
          {latest.attempt > 1 && `, attempt ${latest.attempt}`}
        </span>
      </p>
      {error !== undefined && (
        <p class="reason">
          {error.message} <code>{error.code}</code>
        </p>
      )}
      <p class="quiet states">{states.map(({ state }) => words(state)).join(' → ')}</p>
      {(latest.discarded ?? []).map(({ variant, reason }) => (
        <p key={variant} class="quiet">
          not {variant}: {reason}
        </p>
      ))}
    </li>
  )
}

export function TrialTable({ device }: Omit<Props, 'row'>): VNode | null {
  const report = device.reports.findLast(({ trials }) => trials !== undefined && trials.length > 0)
  if (report?.trials === undefined) return null
  return (
    <section class="card trials" aria-label="Decision between variants">
      <h2>
        Why this variant{' '}
        <span class="quiet">
          {report.version}, {ago(report.at)}
        </span>
      </h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Trials">
        <table>
          <thead>
            <tr>
              <th scope="col">Variant</th>
              <th scope="col">On</th>
              <th scope="col">p95 ms</th>
              <th scope="col">mAP</th>
              <th scope="col">Memory</th>
              <th scope="col">Decision</th>
            </tr>
          </thead>
          <tbody>
            {report.trials.map((trial) => (
              <tr key={`${trial.variant} ${trial.provider}`} class={trial.chosen ? 'chosen' : ''}>
                <th scope="row">{trial.variant}</th>
                <td>{trial.provider}</td>
                <td>{milliseconds(trial.latency?.p95Ms)}</td>
                <td>{figure(trial.accuracy?.map, 3)}</td>
                <td>{bytes(trial.memoryBytes)}</td>
                <td>{trial.chosen ? 'chosen' : (trial.reason ?? '')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

export function DeviceHardware({ device }: Props): VNode {
  const { info, live } = device
  return (
    <section class="card hardware" aria-label="Hardware">
      <h2>Hardware and software</h2>
      {info === undefined ? (
        <p class="quiet">The device has not described itself.</p>
      ) : (
        <dl>
          <Fact name="Board">{info.board}</Fact>
          <Fact name="Processor">{`${info.cpuModel}, ${info.cpuCores} cores, ${info.arch}`}</Fact>
          <Fact name="Memory">{`${bytes(info.memoryBytes)}, ${bytes(live.agentMemoryBytes)} by the agent`}</Fact>
          <Fact name="Disk free">{bytes(live.diskFreeBytes)}</Fact>
          <Fact name="System">{info.os}</Fact>
          <Fact name="Agent">{`${info.agentVersion}, Node ${info.nodeVersion}, ONNX Runtime ${info.onnxruntimeVersion ?? '–'}`}</Fact>
          {info.powerMode !== undefined && <Fact name="Power mode">{info.powerMode}</Fact>}
          <Fact name="Accelerators">{info.accelerators.map(({ name }) => name).join(', ') || 'none'}</Fact>
          <Fact name="CPU features">{info.cpuFeatures.slice(0, 16).join(' ')}</Fact>
          <Fact name="Running for">{duration(live.uptimeMs)}</Fact>
        </dl>
      )}
      <ul class="providers">
        {(info?.providers ?? []).map(({ name, works, reason }) => (
          <li key={name}>
            <span class={`badge ${works ? 'good' : ''}`}>
              {name} {works ? 'works' : 'does not work'}
            </span>
            {reason !== undefined && <span class="quiet"> {reason}</span>}
          </li>
        ))}
      </ul>
    </section>
  )
}
