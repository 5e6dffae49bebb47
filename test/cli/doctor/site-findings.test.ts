import { mkdirSync, writeFileSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import type { Finding } from '../../../src/cli/doctor/finding.js'
import { siteFindings } from '../../../src/cli/doctor/site-findings.js'
import { loadConfig } from '../../../src/config/load.js'

async function look(
  settings: Readonly<Record<string, unknown>>,
  contact = false,
): Promise<ReadonlyMap<string, Finding>> {
  const config = loadConfig({ env: {}, overrides: new Map(Object.entries(settings)) })
  return new Map((await siteFindings(config, { contact })).map((finding) => [finding.subject, finding]))
}

t.test('a device in order', async (t) => {
  const folder = t.testdir({ keys: {} })
  const { publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(join(folder, 'keys', 'fleet.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  const found = await look({
    'state.directory': join(folder, 'not', 'yet', 'made'),
    'state.quota_mb': 16,
    'security.trusted_keys': join(folder, 'keys'),
  })
  for (const subject of ['provider cpu', 'clock', 'state folder', 'trusted keys'])
    t.equal(found.get(subject)?.state, 'ok', `${subject}: ${found.get(subject)?.detail}`)
  t.match(found.get('cameras'), { state: 'warning', remedy: /--set cameras=/ })
  t.equal(found.get('broker'), undefined, 'nothing is contacted')
})

t.test('a broker that is away and a camera that is not there are faults with remedies', async (t) => {
  const folder = t.testdir()
  const found = await look(
    {
      'broker.url': 'mqtt://127.0.0.1:9',
      'state.directory': folder,
      'security.trusted_keys': join(folder, 'none'),
      cameras: [
        { name: 'front', source: '/dev/video250' },
        { name: 'made', source: 'synthetic' },
      ],
    },
    true,
  )
  t.match(found.get('broker'), { state: 'fault', remedy: /.+/ })
  t.match(found.get('camera front'), { state: 'fault', remedy: /.+/ })
  t.match(found.get('camera made'), { state: 'ok' })
  t.match(found.get('trusted keys'), { state: 'fault', detail: /every model is refused/ })
})

t.test('a provider that does not work, a full disk, a rotten key and an open door are told', async (t) => {
  const folder = t.testdir({ 'rotten.pub': 'no key' })
  const found = await look({
    'inference.providers': ['cuda'],
    'state.directory': folder,
    'state.quota_mb': 1_000_000,
    'security.trusted_keys': folder,
  })
  t.match(found.get('provider cuda'), { state: 'warning', remedy: /inference\.providers/ })
  t.match(found.get('state folder'), { state: 'warning', remedy: /quota_mb/ })
  t.match(found.get('trusted keys'), { state: 'fault' })
  mkdirSync(join(folder, 'open'))
  const open = await look({ 'security.allow_unsigned': true, 'security.trusted_keys': join(folder, 'open') })
  t.match(open.get('trusted keys'), { state: 'warning', remedy: /keygen/ })
})
