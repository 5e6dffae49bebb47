/** What the connection is doing, in the header. Invariant: every state has words, not only a color. */

import { useSignal } from '@preact/signals'
import type { VNode } from 'preact'
import { useEffect } from 'preact/hooks'
import type { LinkState } from './link-messages.js'
import { every, wallMs } from './browser-clock.js'
import type { FleetFeed } from './fleet-feed.js'

interface Props {
  readonly feed: FleetFeed
  readonly onOpen: () => void
}

/** The state in words. */
export function wordsOf(state: LinkState, nowMs: number): string {
  switch (state.kind) {
    case 'idle':
      return 'Not connected'
    case 'connecting':
      return 'Connecting…'
    case 'online':
      return 'Connected'
    case 'refused':
      return 'Refused'
    case 'lost':
    case 'unreachable': {
      const what = state.kind === 'lost' ? 'Connection lost' : 'Broker unreachable'
      return `${what}, again in ${Math.max(0, Math.ceil((state.retryAtMs - nowMs) / 1000))} s`
    }
  }
}

export function LinkPill({ feed, onOpen }: Props): VNode {
  const state = feed.link.state.value
  const nowMs = useSignal(wallMs())
  const isWaiting = state.kind === 'lost' || state.kind === 'unreachable'
  useEffect(() => {
    if (!isWaiting) return undefined
    nowMs.value = wallMs()
    return every(500, () => {
      nowMs.value = wallMs()
    })
  }, [isWaiting])
  return (
    <button class={`pill link-${state.kind}`} type="button" onClick={onOpen} title={feed.settings.value?.url}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{wordsOf(state, nowMs.value)}</span>
    </button>
  )
}
