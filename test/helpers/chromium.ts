/** A browser for tests of pages. Invariant: nothing is downloaded; where the machine has none, tests are skipped with the reason. */

import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const found = places.find((path) => existsSync(path))

/** The browser; empty where there is none. */
export const chromiumPath = found ?? ''

/** The reason to skip a test that needs a browser, or false. */
export const skipWithoutChromium: string | false =
  found === undefined ? `no Chromium at ${places.join(', ')} (apt install chromium)` : false

export function openChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'], timeout: 120_000 })
}
