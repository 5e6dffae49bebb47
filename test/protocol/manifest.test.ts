import t from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import type { Artefact } from '../../src/protocol/blob.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import {
  artefactsOf,
  encodeManifest,
  inputSizeOf,
  type Manifest,
  parseManifest,
  type Variant,
} from '../../src/protocol/manifest.js'
import { exampleVariant } from '../helpers/test-fleet.js'

const bytes = Buffer.alloc(3000, 7)
const artefact: Artefact = {
  sha256: sha256Of(bytes),
  sizeBytes: bytes.length,
  encoding: 'none',
  blob: cutBlob(bytes, 1024),
}
const manifest: Manifest = {
  model: 'parts',
  version: '1.0.0',
  sequence: 1,
  createdAt: '2026-01-01T00:00:00Z',
  task: 'detect',
  classNames: ['bolt'],
  input: { width: 320, height: 256 },
  variants: [exampleVariant('one', artefact)],
  source: { sha256: 'a'.repeat(64), toolVersion: '1' },
}
const code = 'protocol.payload_malformed'

/** What a manifest with `changes` is refused with; undefined where it is taken. */
function refusalOf(changes: Partial<Record<keyof Manifest, unknown>>): string | undefined {
  try {
    encodeManifest({ ...manifest, ...changes } as Manifest)
    return undefined
  } catch (thrown) {
    t.equal((thrown as { code?: string }).code, code)
    return (thrown as Error).message
  }
}

const withVariant = (changes: Partial<Variant>): { variants: unknown } => ({
  variants: [{ ...manifest.variants[0], ...changes }],
})
const withArtefact = (changes: Partial<Artefact>): { variants: unknown } =>
  withVariant({ artefact: { ...artefact, ...changes } })

t.test('a manifest comes back as it was written', (t) => {
  t.same(parseManifest(encodeManifest(manifest)), manifest)
  t.same(artefactsOf(manifest), [artefact])
  const golden = { ...artefact, sha256: 'e'.repeat(64), encoding: 'br' }
  const whole = { ...manifest, golden: { artefact: golden, images: 3 } }
  t.same(artefactsOf(parseManifest(encodeManifest(whole))), [artefact, golden])
  t.end()
})

t.test('a variant may have an input of its own', (t) => {
  t.same(inputSizeOf(manifest, manifest.variants[0]!), { width: 320, height: 256 })
  const small = exampleVariant('small', artefact, { input: { width: 64, height: 32 } })
  t.same(inputSizeOf(manifest, small), { width: 64, height: 32 })
  t.end()
})

t.test('one blob name stands for one set of chunks', (t) => {
  const second = (blob: Artefact['blob']): unknown => [
    manifest.variants[0],
    exampleVariant('two', { ...artefact, encoding: 'br', sha256: 'b'.repeat(64), blob }),
  ]
  t.equal(refusalOf({ variants: second(artefact.blob) }), undefined)
  for (const blob of [
    { ...cutBlob(bytes, 2048), sha256: artefact.blob.sha256 },
    { ...artefact.blob, chunks: artefact.blob.chunks.toReversed().with(0, 'c'.repeat(64)) },
    { ...cutBlob(Buffer.alloc(2999, 7), 1024), sha256: artefact.blob.sha256 },
  ])
    t.match(refusalOf({ variants: second(blob) }), /the same chunks wherever a blob is named twice/)
  const golden = { artefact: { ...artefact, blob: { ...artefact.blob, sizeBytes: 3001 } }, images: 1 }
  t.match(
    refusalOf({ golden: { ...golden, artefact: { ...golden.artefact, encoding: 'br' } } }),
    /the same chunks/,
  )
  t.end()
})

t.test('what contradicts itself is refused with the name of the field', (t) => {
  const cases: readonly (readonly [Partial<Record<keyof Manifest, unknown>>, RegExp])[] = [
    [{ model: '../etc' }, /model/],
    [{ version: '1.0' }, /version/],
    [{ sequence: 0 }, /sequence/],
    [{ sequence: 1.5 }, /sequence/],
    [{ createdAt: 'today' }, /created_at/],
    [{ expiresAt: '2026-13-01T00:00:00Z' }, /expires_at/],
    [{ task: 'segment' }, /task/],
    [{ classNames: [] }, /at least one class name/],
    [{ classNames: ['two\nlines'] }, /class_names\[0\]/],
    [{ input: { width: 31, height: 64 } }, /input\.width/],
    [{ input: { width: 64, height: 8193 } }, /input\.height/],
    [{ variants: [] }, /at least one variant/],
    [{ variants: [manifest.variants[0], manifest.variants[0]] }, /variants with different ids/],
    [withVariant({ kind: 'hef' }), /a platform, because the kind is not onnx/],
    [withVariant({ cpuNeeds: ['AVX 2'] }), /a CPU instruction such as avx2/],
    [withVariant({ precision: 'INT8' }), /precision/],
    [withVariant({ macs: -1 }), /macs/],
    [withArtefact({ sizeBytes: 2999 }), /with encoding none, the same sha256 and size_bytes/],
    [withArtefact({ sha256: 'd'.repeat(64) }), /with encoding none, the same sha256/],
    [withArtefact({ blob: { ...artefact.blob, chunks: [] } }), /as many chunks as size_bytes/],
    [withArtefact({ blob: { ...artefact.blob, chunkSizeBytes: 1023 } }), /chunk_size_bytes/],
    [{ golden: { artefact, images: 0 } }, /golden\.images/],
    [{ source: { sha256: 'A'.repeat(64), toolVersion: '1' } }, /source\.sha256/],
  ]
  for (const [changes, problem] of cases)
    t.match(refusalOf(changes), problem, JSON.stringify(changes).slice(0, 60))
  for (const changes of [
    withVariant({ kind: 'hef', platform: { chip: 'hailo8' } }),
    withVariant({ cpuNeeds: ['avx512_vnni|avxvnni', 'avx2'] }),
    withArtefact({ encoding: 'br', sizeBytes: 9000, sha256: 'd'.repeat(64) }),
    { input: { width: 32, height: 8192 } },
    { expiresAt: '2026-12-01T00:00:00.5Z' },
  ])
    t.equal(refusalOf(changes), undefined, JSON.stringify(changes).slice(0, 60))
  t.end()
})
