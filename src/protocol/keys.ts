/**
 * Ed25519 keys: making, naming, reading and writing them.
 * Invariant: a key id is the SHA-256 of the 32 raw bytes of the public key, so that an id can never name another key.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { sha256Of } from '../base/digest.js'
import type { Sha256 } from '../base/sha256.js'
import { AgentError } from '../base/errors.js'

/** A key whose signatures are believed. */
export interface TrustedKey {
  readonly keyId: Sha256
  readonly publicKey: KeyObject
}

/** A key that signs. */
export interface SigningKey {
  readonly keyId: Sha256
  readonly privateKey: KeyObject
}

/** A new key pair in its written forms. */
export interface KeyPairText {
  readonly keyId: Sha256
  /** PKCS#8 PEM; secret. */
  readonly privatePem: string
  /** SPKI PEM. */
  readonly publicPem: string
}

const keyFileBytesMax = 256 * 1024
const keyCountMax = 64
const pemPattern = /-----BEGIN ([A-Z0-9 ]{1,40})-----[A-Za-z0-9+/=\s]{1,8192}-----END \1-----/g
/** DER of the SubjectPublicKeyInfo of an Ed25519 key before its 32 raw bytes (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

function unreadable(problem: string, cause?: unknown): AgentError {
  return new AgentError('trust.key_unreadable', `cannot read the key: ${problem}`, { cause })
}

function rawPublicKeyOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(spkiPrefix.length)
}

/** The id of a public Ed25519 key. */
function keyIdOf(publicKey: KeyObject): Sha256 {
  return sha256Of(rawPublicKeyOf(publicKey))
}

function requireEd25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key
  throw unreadable(`it is of type ${key.asymmetricKeyType ?? key.type}, expected Ed25519`)
}

function trustedKeyFrom(publicKey: KeyObject): TrustedKey {
  return { keyId: keyIdOf(requireEd25519(publicKey)), publicKey }
}

/** Makes a new key pair. */
export function generateKeys(): KeyPairText {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    keyId: keyIdOf(publicKey),
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/** Reads a private Ed25519 key in PKCS#8 PEM. Throws `trust.key_unreadable`; no message holds key material. */
export function parseSigningKey(text: string): SigningKey {
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(text)
  } catch (thrown) {
    throw unreadable('it is not a private key in PEM without a passphrase', thrown)
  }
  requireEd25519(privateKey)
  return { keyId: keyIdOf(createPublicKey(privateKey)), privateKey }
}

function publicKeyFromRaw(text: string): TrustedKey {
  const raw = Buffer.from(text, 'base64')
  if (raw.length !== 32) throw unreadable(`its public part has ${raw.length} bytes, expected 32 in base64`)
  const der = Buffer.concat([spkiPrefix, raw])
  return trustedKeyFrom(createPublicKey({ key: der, format: 'der', type: 'spki' }))
}

function parseKeyRing(text: string): TrustedKey[] {
  let ring: unknown
  try {
    ring = JSON.parse(text)
  } catch (thrown) {
    throw unreadable('it begins like JSON but is none', thrown)
  }
  const keys: unknown = typeof ring === 'object' && ring !== null && 'keys' in ring ? ring.keys : undefined
  if (!Array.isArray(keys)) throw unreadable('it has no list named keys')
  return keys.map((entry: unknown): TrustedKey => {
    const hasPublic = typeof entry === 'object' && entry !== null && 'public' in entry
    if (!hasPublic || typeof entry.public !== 'string')
      throw unreadable('an entry of keys has no public text')
    const key = publicKeyFromRaw(entry.public)
    if (!('key_id' in entry) || entry.key_id === key.keyId) return key
    throw unreadable(`an entry's key_id does not belong to its public part, expected ${key.keyId}`)
  })
}

function parsePemKeys(text: string): TrustedKey[] {
  return [...text.matchAll(pemPattern)].map(([pem, label]) => {
    if (label !== 'PUBLIC KEY') {
      throw unreadable(`found a ${label ?? ''} where only public keys belong`)
    }
    try {
      return trustedKeyFrom(createPublicKey(pem))
    } catch (thrown) {
      if (thrown instanceof AgentError) throw thrown
      throw unreadable('its PEM does not hold a public key', thrown)
    }
  })
}

/**
 * Reads the keys that a device trusts: one or several SPKI PEM blocks, or JSON
 * `{"keys":[{"key_id":"<sha256>","public":"<32 bytes in base64>"}]}` (key_id may be left out).
 * Equal keys count once. Throws `trust.key_unreadable`, also for an empty list and for a private key.
 */
export function parseTrustedKeys(text: string): readonly TrustedKey[] {
  if (text.length > keyFileBytesMax) throw unreadable(`it is longer than ${keyFileBytesMax} bytes`)
  const found = text.trimStart().startsWith('{') ? parseKeyRing(text) : parsePemKeys(text)
  if (found.length === 0) throw unreadable('found no public key in PEM or JSON')
  const keys = [...new Map(found.map((key) => [key.keyId, key])).values()]
  if (keys.length > keyCountMax)
    throw unreadable(`it holds ${keys.length} keys, expected at most ${keyCountMax}`)
  return keys
}

/** Writes keys in the JSON form that {@link parseTrustedKeys} reads. */
export function encodeTrustedKeys(keys: readonly TrustedKey[]): string {
  const entries = keys.map(({ keyId, publicKey }) => ({
    key_id: keyId,
    public: rawPublicKeyOf(publicKey).toString('base64'),
  }))
  return `${JSON.stringify({ keys: entries }, undefined, 2)}\n`
}

/** The public side of a signing key. */
export function trustedKeyOf(key: SigningKey): TrustedKey {
  return trustedKeyFrom(createPublicKey(key.privateKey))
}
