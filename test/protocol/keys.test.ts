import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import {
  encodeTrustedKeys,
  generateKeys,
  parseSigningKey,
  parseTrustedKeys,
  trustedKeyOf,
} from '../../src/protocol/keys.js'

const code = 'trust.key_unreadable'
const pair = generateKeys()
const rawOf = (pem: string): Buffer =>
  createPublicKey(pem).export({ type: 'spki', format: 'der' }).subarray(12)
const ringOf = (...entries: readonly unknown[]): string => JSON.stringify({ keys: entries })
const publicText = rawOf(pair.publicPem).toString('base64')

t.test('a key is named by the digest of its 32 public bytes, in each of its forms', (t) => {
  t.equal(pair.keyId, sha256Of(rawOf(pair.publicPem)))
  const signing = parseSigningKey(pair.privatePem)
  t.equal(signing.keyId, pair.keyId)
  t.equal(trustedKeyOf(signing).keyId, pair.keyId)
  for (const text of [
    pair.publicPem,
    `some words\n${pair.publicPem}\nmore words`,
    encodeTrustedKeys([trustedKeyOf(signing)]),
    `  ${ringOf({ public: publicText })}`,
    ringOf({ public: publicText, key_id: pair.keyId }),
  ])
    t.same(
      parseTrustedKeys(text).map(({ keyId }) => keyId),
      [pair.keyId],
    )
  t.end()
})

t.test('several keys, equal ones once, in their order', (t) => {
  const others = [generateKeys(), generateKeys()]
  const text = [pair, ...others, pair].map(({ publicPem }) => publicPem).join('\n')
  t.same(
    parseTrustedKeys(text).map(({ keyId }) => keyId),
    [pair, ...others].map(({ keyId }) => keyId),
  )
  t.end()
})

t.test('what is no public key is refused with the reason, and a private one never gets through', (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const cases: readonly (readonly [text: string, problem: RegExp])[] = [
    ['', /found no public key in PEM or JSON/],
    ['words', /found no public key/],
    [ringOf(), /found no public key/],
    [pair.privatePem, /found a PRIVATE KEY where only public keys belong/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /its PEM does not hold a public key/],
    [rsaPem, /it is of type rsa, expected Ed25519/],
    ['{', /it begins like JSON but is none/],
    ['{}', /it has no list named keys/],
    ['{"keys":{}}', /it has no list named keys/],
    [ringOf(7), /an entry of keys has no public text/],
    [ringOf(null), /an entry of keys has no public text/],
    [ringOf({ key_id: pair.keyId }), /an entry of keys has no public text/],
    [ringOf({ public: 7 }), /an entry of keys has no public text/],
    [ringOf({ public: publicText.slice(0, 20) }), /its public part has 15 bytes, expected 32 in base64/],
    [
      ringOf({ public: publicText, key_id: 'a'.repeat(64) }),
      new RegExp(`an entry's key_id does not belong to its public part, expected ${pair.keyId}`),
    ],
    ['x'.repeat(256 * 1024 + 1), /it is longer than 262144 bytes/],
  ]
  for (const [text, message] of cases)
    t.throws(() => parseTrustedKeys(text), { code, message }, text.slice(0, 60))
  t.doesNotThrow(() => parseTrustedKeys(pair.publicPem.padEnd(256 * 1024)))
  t.end()
})

t.test('64 keys are the most', (t) => {
  const entries = Array.from({ length: 65 }, () => ({
    public: rawOf(generateKeys().publicPem).toString('base64'),
  }))
  t.equal(parseTrustedKeys(ringOf(...entries.slice(1))).length, 64)
  t.throws(() => parseTrustedKeys(ringOf(...entries)), {
    code,
    message: /holds 65 keys, expected at most 64/,
  })
  t.end()
})

t.test('what does not sign is refused, and no message holds key material', (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsaPem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  t.throws(() => parseSigningKey(rsaPem), { code, message: /it is of type rsa, expected Ed25519/ })
  const broken = pair.privatePem.replace(/\n(.{20})/, '\nAAAAAAAAAAAAAAAAAAAA')
  for (const text of ['', pair.publicPem, broken]) {
    t.throws(() => parseSigningKey(text), {
      code,
      message: /it is not a private key in PEM without a passphrase/,
    })
  }
  t.end()
})
