/**
 * The dashboard in a tab of Chromium, as a person has it: with its content policy, from its own server.
 * Invariant: everything that the browser complains of, and every request to elsewhere, is kept in `problems`.
 */

import axe from 'axe-core'
import type { Browser, CDPSession, Page } from 'playwright-core'
import type { PageServer } from '../../src/dashboard/page-server.js'

export class DashboardTab {
  readonly page: Page
  readonly cdp: CDPSession
  readonly problems: string[] = []

  private constructor(page: Page, cdp: CDPSession) {
    this.page = page
    this.cdp = cdp
  }

  /** A tab with nothing open yet. */
  static async open(
    browser: Browser,
    origin: string,
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<DashboardTab> {
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options })
    const page = await context.newPage()
    page.setDefaultTimeout(60_000)
    const tab = new DashboardTab(page, await context.newCDPSession(page))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') tab.problems.push(message.text())
    })
    page.on('pageerror', (error) => tab.problems.push(error.message))
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(origin) && !/^(data|blob):/.test(url)) tab.problems.push(`asked for ${url}`)
    })
    return tab
  }

  /** The value of `expression` in the page; works with any content policy. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.cdp.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value as T
  }

  /** Waits until `expression` is true in the page. */
  async until(what: string, expression: string): Promise<void> {
    for (let attempt = 0; attempt < 900; attempt++) {
      if (await this.evaluate<boolean>(expression)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const text = await this.evaluate<string>('document.body.innerText.slice(0, 1500)')
    throw new Error(`${what}: not within 45 seconds; the page says: ${text}`)
  }

  /** Waits until the page says `text`. */
  says(text: string): Promise<void> {
    return this.until(`"${text}"`, `document.body.innerText.includes(${JSON.stringify(text)})`)
  }

  /** What axe finds serious or critical in what is shown now. */
  async accessibilityViolations(): Promise<readonly string[]> {
    await this.evaluate(`${axe.source}; undefined`)
    return this.evaluate(`axe.run(document).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html.slice(0, 200) + ' ' + failureSummary)))`)
  }
}

/** The address that shows `hash`. */
export function pageAt(server: PageServer, hash = ''): string {
  return `${server.url}${hash}`
}
