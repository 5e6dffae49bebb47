import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type DemoOptions, runDemo } from '../../../src/cli/demo/demo-run.js'
import { readExport } from '../../helpers/exports.js'

const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('yolo-edge-demo-'))

function optionsFor(t: Test, file: Uint8Array, more: Partial<DemoOptions> = {}): DemoOptions {
  const folder = t.testdir({ 'parts.onnx': Buffer.from(file) })
  return {
    models: [join(folder, 'parts.onnx')],
    source: 'synthetic',
    durationMs: 500,
    settings: new Map<string, unknown>([
      ['selection.trial_runs', 5],
      ['acceptance.soak_s', 1],
      ['inference.conf', 0],
    ]),
    dashboardPort: 0,
    onDashboard: () => undefined,
    onTick: () => undefined,
    signal: new AbortController().signal,
    ...more,
  }
}

t.test(
  'a model goes from file to detections through broker and agent, and nothing is left behind',
  async (t) => {
    const before = leftovers()
    const page: { url?: string; answer?: Promise<Response>; settings?: Promise<unknown> } = {}
    const tally = await runDemo(
      optionsFor(t, readExport('opset17-slim'), {
        onDashboard: (url) => {
          page.url = url
          page.answer = fetch(url)
          page.settings = fetch(`${url}settings.json`).then((answer) => answer.json())
        },
      }),
    )
    t.match(page.url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
    t.match(await page.answer, { status: 200 })
    t.match(await page.settings, { broker: /^ws:\/\/127\.0\.0\.1:\d+$/, root: 'yolo-edge/v2' })
    await t.rejects(fetch(page.url!), 'the page ends with the demo')
    const summary = tally.summary()
    t.match(summary, { model: { name: 'parts', variant: /^fp32/ }, provider: 'cpu' })
    t.ok(summary.frames > 0 && summary.latency.inference.p50Ms > 0)
    t.same(leftovers(), before)
    t.notOk(existsSync('state'))
  },
)

t.test('a model that no agent can run is told by its code', async (t) => {
  const settings = new Map<string, unknown>([['inference.providers', ['cuda']]])
  await t.rejects(runDemo(optionsFor(t, readExport('opset17-slim'), { settings })), {
    code: 'variant.none_eligible',
  })
})

t.test('an interrupt ends it with what was seen so far', async (t) => {
  const stop = new AbortController()
  const tally = await runDemo(
    optionsFor(t, readExport('opset17-slim'), {
      durationMs: 60_000,
      signal: stop.signal,
      onTick: (seen) => {
        if (seen.frames > 0) stop.abort()
      },
    }),
  )
  t.ok(tally.frames > 0)
})
