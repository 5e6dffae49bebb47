import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { reportHtml } from '../../../src/cli/report/report-html.js'
import type { SearchOutcome } from '../../../src/cli/search/search-outcome.js'
import { parseBudget } from '../../../src/compress/search/budget.js'
import type { Candidate } from '../../../src/compress/search/candidate.js'
import { bestWithin, frontOf } from '../../../src/compress/search/front.js'
import { madeUpTrial } from '../../compress/search/search.js'
import { openChromium, skipWithoutChromium } from '../../helpers/chromium.js'

t.setTimeout(240_000)

const hostTarget = 'x64-vnni'
const candidates: readonly Candidate[] = [
  { precision: 'fp32', side: 640, macs: 1 },
  { precision: 'fp16', side: 640, macs: 1 },
  ...[640, 512].flatMap((side) =>
    [1, 0.9, 0.7].map((macs): Candidate => ({ precision: 'int8', target: hostTarget, side, macs })),
  ),
]
const hostile = '<img src=x onerror="console.error(1)">'

function outcome(): SearchOutcome {
  const trials = candidates.map(madeUpTrial)
  const { kept, dropped } = frontOf(trials)
  const budgets = ['map-drop<=1.0', 'ms<=0.001'].map(parseBudget)
  return {
    request: {
      name: `parts ${hostile}`,
      settings: { budgets, sides: [640, 512], hostTarget, otherTargets: [], half: true },
      dataset: { name: hostile, images: [], unknownCategories: [], leftOut: [] },
      images: { count: 64 },
      command: `yolo-edge compress '${hostile}'`,
    } as unknown as SearchOutcome['request'],
    startedAtMs: Date.UTC(2026, 0, 2),
    outOfTime: true,
    sourceMs: 90,
    trials,
    refused: [
      {
        kind: 'refused',
        candidate: { precision: 'int8', target: hostTarget, side: 512, macs: 0.5 },
        reason: hostile,
      },
    ],
    variants: kept,
    dropped,
    choices: budgets.map((budget) => ({ budget, best: bestWithin(budget, trials) })),
  }
}

function page(): string {
  return reportHtml({
    outcome: outcome(),
    layers: {
      layers: Array.from({ length: 30 }, (_, index) => ({ name: `layer${index}`, error: 1 / (1 + index) })),
      histograms: [
        { layer: 'layer0', value: 'v', min: -1, max: 5, low: -0.3, high: 4, shares: [0.5, 0.2, 0, 0.3] },
      ],
    },
    pictures: [],
    machine: 'a made-up machine',
    toolVersion: '0.1.0',
  })
}

t.test('the report is one file that loads nothing and escapes what comes from outside', (t) => {
  const html = page()
  t.notMatch(html, /<script/)
  t.notMatch(html, /<img src=x/)
  t.notMatch(html, /(?:src|href)="(?!data:)/)
  t.notMatch(html, /url\(/)
  t.match(html, /no variant is within it/)
  t.match(html, /its time was over/)
  t.notMatch(html, /NaN|undefined|Infinity/)
  t.end()
})

t.test(
  'a browser shows its plot and its tables, in light and in dark',
  { skip: skipWithoutChromium },
  async (t) => {
    const folder = t.testdir()
    const path = join(folder, 'report.html')
    writeFileSync(path, page())
    const browser = await openChromium()
    t.teardown(() => browser.close())
    const grounds: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      const context = await browser.newContext({ colorScheme, offline: true })
      const tab = await context.newPage()
      const problems: string[] = []
      const requests: string[] = []
      tab.on('console', (message) => problems.push(message.text()))
      tab.on('pageerror', (error) => problems.push(error.message))
      tab.on('request', (request) => requests.push(request.url()))
      await tab.goto(pathToFileURL(path).href)
      t.equal(
        await tab.locator('svg.plot circle').count(),
        candidates.length - 1,
        'every point for this machine',
      )
      const box = await tab.locator('svg.plot').boundingBox()
      t.ok(box !== null && box.width > 300 && box.height > 150, 'the plot can be seen')
      t.equal(await tab.locator('table').first().locator('tbody tr').count(), candidates.length)
      t.equal(await tab.locator('svg.bars rect').count(), 20)
      t.equal(await tab.locator('svg.histogram').count(), 1)
      t.match(await tab.locator('#command').textContent(), 'yolo-edge compress')
      const overflow = (): Promise<boolean> =>
        tab.evaluate('document.documentElement.scrollWidth > window.innerWidth')
      t.notOk(await overflow(), 'nothing sticks out')
      await tab.setViewportSize({ width: 390, height: 800 })
      t.notOk(await overflow(), 'nor on a telephone')
      grounds.push(await tab.evaluate('getComputedStyle(document.body).backgroundColor'))
      await tab.screenshot({ path: join(folder, `${colorScheme}.png`) })
      t.ok(statSync(join(folder, `${colorScheme}.png`)).size > 10_000)
      t.same(problems, [])
      t.same(
        requests.filter((url) => !/^(file|data):/.test(url)),
        [],
      )
      await context.close()
    }
    t.not(grounds[0], grounds[1])
  },
)
