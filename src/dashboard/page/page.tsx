/** The page: header, the view that the address names, and the way between them. Invariant: the address alone says what is shown. */

import { signal, useComputed, useSignal, useSignalEffect } from '@preact/signals'
import { render, type VNode } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { defaultRoot } from '../../protocol/topics.js'
import type { BrokerSettings } from './link-messages.js'
import { ConnectForm } from './connect-form.js'
import { DeviceView } from './device-view.js'
import { FleetFeed } from './fleet-feed.js'
import { FleetView } from './fleet-view.js'
import { LinkPill } from './link-pill.js'
import { applyTheme, ThemeButton } from './theme.js'
import { RolloutView } from './rollout-view.js'

type Place =
  | { readonly view: 'fleet' }
  | { readonly view: 'rollouts' }
  | { readonly view: 'device'; readonly device: string }

function placeOf(hash: string): Place {
  const [view, name] = hash.replace(/^#\/?/, '').split('/')
  if (view === 'rollouts') return { view }
  if (view === 'device' && name !== undefined && name !== '') {
    try {
      return { view, device: decodeURIComponent(name) }
    } catch {
      // A hash with a broken escape names no device.
      return { view: 'fleet' }
    }
  }
  return { view: 'fleet' }
}

/** What the window is called while `place` is shown. */
function titleOf(place: Place): string {
  switch (place.view) {
    case 'fleet':
      return 'Fleet'
    case 'rollouts':
      return 'Rollouts'
    case 'device':
      return place.device
  }
}

/** The view of `place`. */
function viewOf(place: Place, feed: FleetFeed): VNode {
  switch (place.view) {
    case 'fleet':
      return <FleetView feed={feed} />
    case 'rollouts':
      return <RolloutView feed={feed} />
    case 'device':
      return <DeviceView key={place.device} feed={feed} name={place.device} />
  }
}

const place = signal<Place>(placeOf(location.hash))
addEventListener('hashchange', () => {
  place.value = placeOf(location.hash)
  scrollTo(0, 0)
})

function App({ feed }: { readonly feed: FleetFeed }): VNode {
  const isFormOpen = useSignal(false)
  const needsForm = useComputed(() => {
    const { kind } = feed.link.state.value
    return isFormOpen.value || kind === 'idle' || kind === 'refused'
  })
  useSignalEffect(() => {
    document.title = `${titleOf(place.value)} · yolo-edge`
  })
  useEffect(() => {
    const goBack = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.target instanceof HTMLInputElement) return
      if (isFormOpen.value) isFormOpen.value = false
      else if (place.value.view !== 'fleet') location.hash = '#/'
    }
    addEventListener('keydown', goBack)
    return () => {
      removeEventListener('keydown', goBack)
    }
  }, [])
  const current = place.value
  const view = useMemo(() => viewOf(current, feed), [current])
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href="#/" aria-label="yolo-edge, to the fleet">
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5" />
            <circle cx="12" cy="12" r="3.2" />
          </svg>
          <span>yolo-edge</span>
        </a>
        <nav aria-label="Views">
          <a href="#/" aria-current={current.view === 'rollouts' ? undefined : 'page'}>
            Fleet
          </a>
          <a href="#/rollouts" aria-current={current.view === 'rollouts' ? 'page' : undefined}>
            Rollouts
          </a>
        </nav>
        <div class="top-end">
          <LinkPill
            feed={feed}
            onOpen={() => {
              isFormOpen.value = !isFormOpen.value
            }}
          />
          <ThemeButton />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {needsForm.value && (
          <ConnectForm
            feed={feed}
            onDone={() => {
              isFormOpen.value = false
            }}
          />
        )}
        {feed.settings.value !== undefined && view}
      </main>
    </>
  )
}

function skipToMain(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

/** What the server, the address and this tab's memory say about the broker; the address wins. */
async function startSettings(): Promise<BrokerSettings | undefined> {
  const asked = new URLSearchParams(location.search)
  const served = await servedSettings()
  const url = asked.get('broker') ?? served.broker ?? sessionStorage.getItem('broker')
  if (url === null || !/^wss?:\/\//.test(url)) return undefined
  return {
    url,
    root: asked.get('root') ?? served.root ?? sessionStorage.getItem('root') ?? defaultRoot,
    username: asked.get('user') ?? sessionStorage.getItem('user') ?? '',
    password: sessionStorage.getItem('password') ?? '',
  }
}

/** What the file server says; nothing where the page lies on a plain static server. */
async function servedSettings(): Promise<{ readonly broker?: string; readonly root?: string }> {
  try {
    const answer = await fetch('settings.json')
    if (!answer.ok) return {}
    const value = (await answer.json()) as Record<string, unknown>
    const { broker, root } = value as { broker: unknown; root: unknown }
    return { ...(typeof broker === 'string' && { broker }), ...(typeof root === 'string' && { root }) }
  } catch {
    // A static server answers with its own error page, or not at all.
    return {}
  }
}

applyTheme()
const feed = new FleetFeed()
const target = document.getElementById('page')!
const settings = await startSettings()
target.replaceChildren()
render(<App feed={feed} />, target)
if (settings !== undefined) {
  try {
    feed.open(settings)
  } catch {
    // A root that is no topic: the form shows, and says so when it is tried again.
    feed.settings.value = undefined
  }
}
