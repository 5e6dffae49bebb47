import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { trustPolicyOf } from '../../src/agent/trusted-keys.js'
import { encodeTrustedKeys, generateKeys, parseTrustedKeys } from '../../src/protocol/keys.js'

t.test('trusts the keys of every key file, equal keys once', async (t) => {
  const [one, two] = [generateKeys(), generateKeys()]
  const folder = t.testdir({
    'one.pub': one.publicPem,
    'both.pem': one.publicPem + two.publicPem,
    'ring.json': encodeTrustedKeys(parseTrustedKeys(two.publicPem)),
    'README.md': 'keys of the fleet',
  })
  const policy = await trustPolicyOf(folder, false)
  t.same(policy.keys.map((key) => key.keyId).sort(), [one.keyId, two.keyId].sort())
  t.equal(policy.allowUnsigned, false)
})

t.test('an absent folder trusts nobody', async (t) => {
  t.same((await trustPolicyOf(join(t.testdir(), 'absent'), true)).keys, [])
})

const pem = (type: 'ed25519' | 'x25519'): string =>
  generateKeyPairSync(type as 'ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string

const refusals: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a private key': { 'fleet.pub': generateKeys().privatePem },
  'no key at all': { 'fleet.pub': 'rubbish' },
  'an empty file': { 'fleet.pub': '' },
  'another algorithm': { 'fleet.pub': pem('x25519') },
  'far too long': { 'fleet.pub': pem('ed25519') + ' '.repeat(300_000) },
  'one bad beside a good one': { 'a.pub': pem('ed25519'), 'fleet.pub': 'bad' },
}
for (const [name, files] of Object.entries(refusals)) {
  t.test(`refused by the name of its file: ${name}`, async (t) => {
    await t.rejects(trustPolicyOf(t.testdir(files), false), {
      code: 'trust.key_unreadable',
      message: /fleet\.pub/,
    })
  })
}

t.test('a file in place of the folder is refused', async (t) => {
  const folder = t.testdir({ keys: 'not a folder' })
  await t.rejects(trustPolicyOf(join(folder, 'keys'), false), { code: 'trust.key_unreadable' })
})
