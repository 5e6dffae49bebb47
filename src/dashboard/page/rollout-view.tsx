/** Versions on their way through the fleet. Invariant: shows and never acts: a page holds no key, it names the command. */

import { useComputed } from '@preact/signals'
import type { VNode } from 'preact'
import type { Desired } from '../../protocol/desired.js'
import { phaseOf, termsOf } from '../../protocol/rollout-phase.js'
import { rolloutsOf, stages, type VersionRollout } from '../fleet/rollouts.js'
import { duration } from '../fleet/format.js'
import { wallMs } from './browser-clock.js'
import type { FleetFeed } from './fleet-feed.js'

const failuresShown = 6

export function RolloutView({ feed }: { readonly feed: FleetFeed }): VNode {
  const rollouts = useComputed(() => {
    feed.followChanges()
    return rolloutsOf(feed.store.devices.values(), feed.store.channels.values())
  })
  return (
    <div class="rollouts">
      <h1>Rollouts</h1>
      {rollouts.value.length === 0 && (
        <div class="card empty">
          <h2>No model is served or asked for</h2>
          <p class="quiet">Publish one with yolo-edge publish.</p>
        </div>
      )}
      {rollouts.value.map((rollout) => (
        <Rollout key={`${rollout.model} ${rollout.version}`} rollout={rollout} />
      ))}
    </div>
  )
}

function Rollout({ rollout }: { readonly rollout: VersionRollout }): VNode {
  const { model, version, counts, devices, channels, failures } = rollout
  return (
    <section class="card rollout" aria-label={`${model} ${version}`}>
      <h2>
        {model} <b>{version}</b>{' '}
        <span class="quiet">{devices === 1 ? '1 device' : `${devices} devices`}</span>
      </h2>
      {channels.map((desired) => (
        <p key={desired.target.name} class="asked">
          {askedBy(desired)}
        </p>
      ))}
      <div class="bar stages" aria-hidden="true">
        {stages.map((stage) => (
          <span key={stage} class={`part stage-${stage}`} style={{ flexGrow: counts[stage] }} />
        ))}
      </div>
      <ul class="legend">
        {stages
          .filter((stage) => counts[stage] > 0)
          .map((stage) => (
            <li key={stage}>
              <span class={`swatch stage-${stage}`} aria-hidden="true" />
              {stage} <b>{counts[stage]}</b>
            </li>
          ))}
      </ul>
      {failures.length > 0 && (
        <ul class="failures">
          {failures.slice(0, failuresShown).map(({ device, code, message }) => (
            <li key={device}>
              <a href={`#/device/${encodeURIComponent(device)}`}>{device}</a> {message} <code>{code}</code>
            </li>
          ))}
          {failures.length > failuresShown && (
            <li class="quiet">and {failures.length - failuresShown} more</li>
          )}
        </ul>
      )}
      <details>
        <summary>Commands for this version</summary>
        <p class="quiet">
          Run them where the signing key is: neither this page nor the broker ever holds it.
        </p>
        <pre>{commandsFor(rollout)}</pre>
      </details>
    </section>
  )
}

/** What a channel asks for, in a sentence. */
function askedBy(desired: Desired): string {
  const { target, createdAt } = desired
  const { percent, notBefore, halted } = termsOf(desired)
  const phase = phaseOf(desired, wallMs())
  const span = duration(wallMs() - Date.parse(createdAt))
  if (phase === 'aborted') return `Channel ${target.name}: given up ${span} ago`
  if (phase === 'halted') return `Channel ${target.name}: halted at ${percent} % ${span} ago: ${halted ?? ''}`
  if (phase === 'paused') return `Channel ${target.name}: paused at ${percent} % ${span} ago`
  const share = percent === 100 ? 'all devices' : `${percent} % of the devices`
  const start = phase === 'waiting' ? `, from ${notBefore ?? ''}` : ''
  return `Channel ${target.name} asks ${share} for it since ${span}${start}`
}

/** Commands that a person may copy; what the person has to fill in is in capitals. */
function commandsFor({ model, version, channels }: VersionRollout): string {
  const rest = `--sign FLEET.key --broker mqtt://BROKER`
  const asking = channels[0]?.target.name
  if (asking === undefined)
    return [
      '# begin with a share of the channel, then go on; back to an older version: --allow-downgrade',
      `yolo-edge rollout start ${model} ${version} --channel stable --percent 5 ${rest}`,
    ].join('\n')
  const command = (name: string, more = ''): string =>
    `yolo-edge rollout ${name} --channel ${asking}${more} ${rest}`
  return [
    '# more devices',
    command('widen', ' --percent 100'),
    '# hold it, and go on',
    command('pause'),
    command('resume'),
    '# give it up, and bring everybody back',
    command('abort', ' --back-to VERSION'),
  ].join('\n')
}
