import t from 'tap'
import {
  addSignature,
  dropSignature,
  openEnvelope,
  preAuthEncoding,
  sealEnvelope,
} from '../../src/protocol/envelope.js'
import { manifestPayloadType } from '../../src/protocol/manifest.js'
import { generateKeys, parseSigningKey, trustedKeyOf } from '../../src/protocol/keys.js'

const keys = Array.from({ length: 3 }, () => parseSigningKey(generateKeys().privatePem))
const [first, second, third] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]]
const trusted = keys.map(trustedKeyOf)
const payload = Buffer.from('{"what":"a payload"}')
const sealed = (...by: typeof keys): Uint8Array => sealEnvelope(manifestPayloadType, payload, by)

interface Written {
  payload: string
  payloadType: string
  signatures: { keyid: string; sig: string }[]
}

/** `bytes` with something changed. */
function changed(bytes: Uint8Array, change: (envelope: Written) => void): Uint8Array {
  const envelope = JSON.parse(Buffer.from(bytes).toString()) as Written
  change(envelope)
  return Buffer.from(JSON.stringify(envelope))
}

const open = (
  bytes: Uint8Array,
  policy: Parameters<typeof openEnvelope>[2],
): ReturnType<typeof openEnvelope> => openEnvelope(bytes, manifestPayloadType, policy)

t.test('what is signed is the type and the payload, with their lengths', (t) => {
  t.equal(preAuthEncoding('text', Buffer.from('hello')).toString(), 'DSSEv1 4 text 5 hello')
  t.end()
})

t.test('a payload comes out under trusted keys alone', (t) => {
  const opened = open(sealed(first), { keys: trusted })
  t.same([Buffer.from(opened.payload).toString(), opened.signedBy], [payload.toString(), [first.keyId]])
  t.same(open(sealed(first, second), { keys: [trusted[1]!] }).signedBy, [second.keyId])
  t.throws(() => open(sealed(first), { keys: [trusted[1]!] }), { code: 'trust.key_unknown' })
  t.throws(() => open(sealed(), { keys: trusted }), { code: 'trust.unsigned_refused' })
  t.throws(() => openEnvelope(sealed(first), 'application/other', { keys: trusted }), {
    code: 'protocol.payload_malformed',
  })
  t.end()
})

t.test('as many different keys as the policy asks for', (t) => {
  const policy = { keys: trusted, threshold: 2 }
  t.same(open(sealed(first, third), policy).signedBy, [first.keyId, third.keyId])
  t.throws(() => open(sealed(first), policy), { code: 'trust.signature_invalid' })
  t.throws(
    () => open(sealed(first, first), policy),
    { code: 'trust.signature_invalid' },
    'the same key counts once',
  )
  t.end()
})

t.test('a wrong signature of a trusted key ends the matter', (t) => {
  const forged = changed(sealed(first, second), ({ signatures }) => {
    signatures[0]!.sig = signatures[1]!.sig
  })
  t.throws(() => open(forged, { keys: trusted }), { code: 'trust.signature_invalid' })
  const short = changed(sealed(first), ({ signatures }) => {
    signatures[0]!.sig = Buffer.from('short').toString('base64')
  })
  t.throws(() => open(short, { keys: trusted }), { code: 'trust.signature_invalid' })
  t.throws(
    () =>
      open(
        changed(sealed(first), (envelope) => {
          envelope.payload = Buffer.from('{"what":"another"}').toString('base64')
        }),
        { keys: trusted },
      ),
    { code: 'trust.signature_invalid' },
  )
  t.same(
    open(forged, { keys: [trusted[1]!] }).signedBy,
    [second.keyId],
    'one that is not trusted says nothing',
  )
  t.end()
})

t.test('a signature without a name is tried with every key, and may be wrong', (t) => {
  const nameless = changed(sealed(first, second), ({ signatures }) => {
    signatures[0]!.keyid = ''
  })
  t.same(open(nameless, { keys: [trusted[0]!] }).signedBy, [first.keyId])
  const wrong = changed(nameless, ({ signatures }) => {
    signatures[0]!.sig = Buffer.alloc(64).toString('base64')
  })
  t.same(open(wrong, { keys: trusted }).signedBy, [second.keyId])
  t.end()
})

t.test('where unsigned payloads are allowed, whatever the signatures are worth is said', (t) => {
  t.same(open(sealed(), { keys: [], allowUnsigned: true }).signedBy, [])
  t.same(open(sealed(first), { keys: [], allowUnsigned: true }).signedBy, [])
  t.same(open(sealed(first), { keys: trusted, allowUnsigned: true }).signedBy, [first.keyId])
  t.end()
})

t.test('signatures are added and dropped under the same payload', (t) => {
  const both = addSignature(sealed(first), second)
  t.same(open(both, { keys: trusted, threshold: 2 }).signedBy, [first.keyId, second.keyId])
  const left = dropSignature(both, first.keyId)
  t.same(open(left, { keys: trusted }).signedBy, [second.keyId])
  t.equal((JSON.parse(Buffer.from(left).toString()) as Written).signatures.length, 1)
  t.end()
})
