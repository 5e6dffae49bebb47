/** Light, dark, or as the system has it. Invariant: the choice outlives the tab, where the browser lets it. */

import { signal } from '@preact/signals'
import type { VNode } from 'preact'

type Theme = 'auto' | 'light' | 'dark'

const order: readonly Theme[] = ['auto', 'light', 'dark']

function remembered(): Theme {
  try {
    return order.find((theme) => theme === localStorage.getItem('theme')) ?? 'auto'
  } catch {
    // Storage may be forbidden.
    return 'auto'
  }
}

/** The chosen theme. */
export const theme = signal<Theme>(remembered())

/** Gives the page the chosen theme. */
export function applyTheme(): void {
  document.documentElement.dataset['theme'] = theme.value
}

const icons: Readonly<Record<Theme, string>> = {
  auto: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5',
  dark: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5',
}

export function ThemeButton(): VNode {
  const next = order[(order.indexOf(theme.value) + 1) % order.length]!
  const choose = (): void => {
    theme.value = next
    applyTheme()
    try {
      localStorage.setItem('theme', next)
    } catch {
      // Storage may be forbidden: the choice lasts as long as the page.
    }
  }
  return (
    <button
      class="icon-button"
      type="button"
      onClick={choose}
      aria-label={`Colours: ${theme.value}; change to ${next}`}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={icons[theme.value]} />
      </svg>
    </button>
  )
}
