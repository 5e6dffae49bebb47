/** The view `#/unread`: devices whose messages cannot be read. */

import { type Addition, behind } from './addition.js'

export const view: Addition = {
  heading: 'A dashboard view',
  tests: [],
  places: [
    {
      path: 'src/dashboard/page/unread-view.tsx',
      notice: 'you begin here',
      change: `/** Devices whose messages cannot be read. Invariant: shows and never acts. */

import { useComputed } from '@preact/signals'
import type { VNode } from 'preact'
import type { FleetFeed } from './fleet-feed.js'

export function UnreadView({ feed }: { readonly feed: FleetFeed }): VNode {
  const names = useComputed(() => {
    feed.followChanges()
    return [...feed.store.devices.values()].filter(({ refused }) => refused > 0).map(({ name }) => name)
  })
  return (
    <div class="card">
      <h1>Unread</h1>
      <ul>
        {names.value.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
    </div>
  )
}
`,
    },
    {
      path: 'src/dashboard/page/page.tsx',
      notice: 'you begin here',
      change: [behind("  | { readonly view: 'rollouts' }\n", "  | { readonly view: 'unread' }\n")],
    },
    {
      path: 'src/dashboard/page/page.tsx',
      notice: 'the compiler',
      change: [
        behind(
          "    case 'rollouts':\n      return 'Rollouts'\n",
          "    case 'unread':\n      return 'Unread'\n",
        ),
        behind(
          '      return <RolloutView feed={feed} />\n',
          "    case 'unread':\n      return <UnreadView feed={feed} />\n",
        ),
        behind(
          "import { RolloutView } from './rollout-view.js'\n",
          "import { UnreadView } from './unread-view.js'\n",
        ),
      ],
    },
    {
      path: 'src/dashboard/page/page.tsx',
      notice: 'nobody',
      change: [
        {
          find: "  if (view === 'rollouts') return { view }\n",
          put: "  if (view === 'rollouts' || view === 'unread') return { view }\n",
        },
        {
          find: '        </nav>\n',
          put: `          <a href="#/unread" aria-current={current.view === 'unread' ? 'page' : undefined}>
            Unread
          </a>
        </nav>
`,
        },
      ],
    },
  ],
}
