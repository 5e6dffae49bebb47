import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { hiddenMark } from '../../src/base/address.js'
import { loadConfig } from '../../src/config/load.js'
import { settingsText, shownSettings, snakeOf } from '../../src/config/print.js'

const secrets = ['hunter2', 'installer:p%2Fw', 'tok-77', 'a/b?c#d']
const scene = {
  zones: [
    {
      name: 'dock',
      polygon: [
        [0, 0],
        [0.5, 0],
        [0.5, 1],
      ],
      dwell_s: 1.5,
    },
  ],
  filters: [{ class: 'a: #b', min_score: 0.5 }],
}
const overrides = new Map<string, unknown>([
  ['broker.password', secrets[0]],
  ['broker.keepalive_s', 77],
  ['inference.runners', [`hef=/opt/runner --api-token ${secrets[2]} --quiet`]],
  ['inference.providers', ['cuda', 'cpu']],
  [
    'cameras',
    [
      { name: 'front', source: `rtsp://${secrets[1]}@cam/1#fps=5`, max_fps: 3, ...scene },
      { name: 'yard', source: `http://cam/video?password=${secrets[3]}` },
      { name: 'clip', source: 'clip: one.mp4', loop: true },
    ],
  ],
])

t.test('what is printed loads to the same settings once the secrets are back', (t) => {
  const config = loadConfig({ env: {}, overrides })
  const text = settingsText(config)
  for (const secret of secrets) t.notMatch(text, secret)
  t.match(text, /keepalive_s: 77/)
  let next = 0
  const order = [secrets[0], secrets[2], secrets[1], secrets[3]]
  const restored = text.replaceAll(hiddenMark, () => order[next++] ?? 'none')
  t.equal(next, order.length, 'each secret is hidden once')
  const file = join(t.testdir({}), 'device.yaml')
  writeFileSync(file, restored)
  t.same(loadConfig({ file, env: {} }), config)
  t.same(parse(text), shownSettings(config), 'and the JSON says the same')
  t.end()
})

t.test('a secret that was not put back is asked for, not used', (t) => {
  const file = join(t.testdir({}), 'device.yaml')
  writeFileSync(file, settingsText(loadConfig({ env: {}, overrides })))
  t.throws(() => loadConfig({ file, env: {} }), {
    code: 'config.value_invalid',
    message:
      /broker\.password: its secret is hidden[^]*inference\.runners: [^]*camera front: [^]*camera yard: /,
  })
  t.end()
})

t.test('names as the file writes them', (t) => {
  t.equal(snakeOf('activeLatencyFactorMax'), 'active_latency_factor_max')
  t.end()
})
