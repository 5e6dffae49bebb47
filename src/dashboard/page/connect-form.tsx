/** Asks where the broker is. Invariant: the password stays in this tab; it is never part of an address. */

import { useSignal } from '@preact/signals'
import type { TargetedSubmitEvent, VNode } from 'preact'
import { messageOf } from '../../base/errors.js'
import { defaultRoot } from '../../protocol/topics.js'
import type { FleetFeed } from './fleet-feed.js'

interface Props {
  readonly feed: FleetFeed
  readonly onDone: () => void
}

export function ConnectForm({ feed, onDone }: Props): VNode {
  const problem = useSignal('')
  const state = feed.link.state.value
  const known = feed.settings.value
  const connect = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const read = (name: string): string => {
      const value = data.get(name)
      return typeof value === 'string' ? value.trim() : ''
    }
    const url = read('url')
    if (!/^wss?:\/\/[^/]/.test(url)) {
      problem.value = 'The address starts with ws:// or wss://, such as ws://broker:9001.'
      return
    }
    const settings = { url, root: read('root'), username: read('user'), password: read('password') }
    try {
      feed.open(settings)
    } catch (thrown) {
      problem.value = `${messageOf(thrown)}.`
      return
    }
    remember({ broker: url, root: settings.root, user: settings.username, password: settings.password })
    problem.value = ''
    onDone()
  }
  const reason = problem.value !== '' ? problem.value : state.kind === 'refused' ? state.reason : ''
  return (
    <form class="connect card" onSubmit={connect}>
      <h1>Connect to your broker</h1>
      <p class="quiet">
        The page reads the fleet from the broker’s WebSocket listener. Nothing else is contacted.
      </p>
      {reason !== '' && (
        <p class="problem" role="alert">
          {reason}
        </p>
      )}
      <label>
        Broker
        <input
          name="url"
          type="text"
          inputMode="url"
          autocomplete="url"
          required
          value={known?.url ?? 'ws://localhost:9001'}
        />
      </label>
      <label>
        Topic root
        <input name="root" type="text" required value={known?.root ?? defaultRoot} />
      </label>
      <label>
        Name
        <input name="user" type="text" autocomplete="username" value={known?.username ?? ''} />
      </label>
      <label>
        Password
        <input name="password" type="password" autocomplete="current-password" />
      </label>
      <button class="primary" type="submit">
        Connect
      </button>
    </form>
  )
}

function remember(values: Readonly<Record<string, string>>): void {
  try {
    for (const [name, value] of Object.entries(values)) sessionStorage.setItem(name, value)
  } catch {
    // Storage may be forbidden: the tab asks again after a reload.
  }
}
