import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import t from 'tap'
import { sha256Of } from '../../../src/base/digest.js'
import { readBundle, writeBundle } from '../../../src/cli/bundle/bundle-folder.js'
import { type BundleOptions, makeBundle } from '../../../src/cli/bundle/make-bundle.js'
import { goldenFileFrom } from '../../../src/cli/bundle/golden-file.js'
import { openDataset } from '../../../src/cli/dataset/open-dataset.js'
import { readModelFile } from '../../../src/cli/model-file.js'
import { bundleFrom } from '../../../src/cli/bundle/published-bundle.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { openEnvelope } from '../../../src/protocol/envelope.js'
import { generateKeys, parseSigningKey, trustedKeyOf } from '../../../src/protocol/keys.js'
import { readDetectorFile } from '../../../src/cli/model-file.js'
import { parseGolden } from '../../../src/protocol/golden.js'
import { manifestPayloadType, parseManifest } from '../../../src/protocol/manifest.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { shared, skipWithout } from '../../helpers/paths.js'
import { exportNames, readExport } from '../../helpers/exports.js'

const name = exportNames.find((each) => each === 'opset17-slim')!
const bytes = readExport(name)
const graph = importModel(bytes)
const file = { path: `${name}.onnx`, bytes, graph, description: describeModel(graph) }
const key = parseSigningKey(generateKeys().privatePem)
const options: BundleOptions = {
  model: 'parts',
  version: '1.2.3',
  sequence: 7,
  createdAt: '2026-01-01T00:00:00.000Z',
  toolVersion: '0.1.0',
}

t.test('describes a file by what is in it', (t) => {
  const { manifest, blobs } = makeBundle([file], options)
  const [variant] = manifest.variants
  t.match(variant, { kind: 'onnx', precision: 'fp32', form: 'export' })
  t.ok(variant!.macs > 1e6 && variant!.parameters > 1000)
  const { artefact } = variant!
  t.equal(artefact.sha256, sha256Of(bytes))
  const blob = blobs.get(artefact.blob.sha256)!
  t.equal(sha256Of(artefact.encoding === 'br' ? brotliDecompressSync(blob) : blob), artefact.sha256)
  t.same(manifest.classNames, file.description.classNames)
  t.end()
})

t.test('integers that only the CPU computes with are meant for the CPU', (t) => {
  const providersOf = (target: string | undefined, providers?: readonly string[]): readonly string[] => {
    const metadata = new Map(graph.metadata)
    if (target !== undefined) metadata.set('yolo_edge.int8_target', target)
    const marked = { ...file, graph: { ...graph, metadata }, ...(providers && { providers }) }
    return makeBundle([marked], options).manifest.variants[0]!.providers
  }
  t.same(
    ['x64-vnni', 'x64', 'arm64'].map((target) => providersOf(target)),
    [['cpu'], ['cpu'], ['cpu']],
  )
  t.same(providersOf('tensorrt'), ['tensorrt'])
  t.same([providersOf('qdq'), providersOf(undefined), providersOf('of tomorrow')], [[], [], []])
  t.same(providersOf('arm64', ['xnnpack']), ['xnnpack'], 'unless it is said otherwise')
  t.end()
})

t.test('refuses class names that do not fit the model', (t) => {
  t.throws(() => makeBundle([file], { ...options, classNames: ['one', 'too many'] }), {
    code: 'model.labels_invalid',
  })
  t.end()
})

t.test('a folder comes back as it was written, signature and all', async (t) => {
  const folder = join(t.testdir(), 'bundle')
  const content = makeBundle([file], options)
  await writeBundle(folder, content, [key])
  const bundle = await readBundle(folder)
  t.same(bundle.manifest, content.manifest)
  const opened = openEnvelope(bundle.envelope, manifestPayloadType, { keys: [trustedKeyOf(key)] })
  t.same(parseManifest(opened.payload), content.manifest)
  const { blob } = content.manifest.variants[0]!.artefact
  t.same(await bundle.readChunk(blob, 5, 10), content.blobs.get(blob.sha256)!.subarray(5, 15))
  await t.rejects(writeBundle(folder, content, [key]), 'a folder that is there is not written over')
})

t.test('a blob that is missing or changed keeps a folder from being published', async (t) => {
  const folder = join(t.testdir(), 'bundle')
  await writeBundle(folder, makeBundle([file], options), [key])
  const blob = join(folder, 'blobs', readdirSync(join(folder, 'blobs'))[0]!)
  const intact = readFileSync(blob)
  writeFileSync(blob, intact.subarray(1))
  await t.rejects(readBundle(folder), { code: 'integrity.digest_mismatch' })
  await t.rejects(readBundle(t.testdir()), { code: 'bundle.file_missing' })
})

t.test('publish takes a folder as it is, or makes a bundle of model files', async (t) => {
  const folder = t.testdir({ 'my parts.onnx': Buffer.from(bytes) })
  const made = await bundleFrom([join(folder, 'my parts.onnx')], {}, [key], Date.UTC(2026, 0, 2, 3, 4, 5))
  t.match(made.manifest, { model: 'my-parts', version: '0.20260102.30405', sequence: 1_767_323_045 })
  const { blob } = made.manifest.variants[0]!.artefact
  t.equal((await made.readChunk(blob, 0, 8)).byteLength, 8)
  const signed = join(folder, 'bundle')
  await writeBundle(signed, makeBundle([file], options), [key])
  t.equal((await bundleFrom([signed], {}, [key], 0)).manifest.version, '1.2.3')
})

t.test('a golden set goes out with the model', { skip: skipWithout('coco', 'val') }, async (t) => {
  const data = shared('coco', 'val')
  const cocoNames = (await readDetectorFile(shared('models', 'yolov8n.onnx'))).description.classNames
  const dataset = await openDataset(data, cocoNames, { note: () => undefined })
  const golden = await goldenFileFrom(dataset, 5)
  const again = await goldenFileFrom(dataset, 5)
  t.equal(golden.images, 5)
  t.same(sha256Of(golden.bytes), sha256Of(again.bytes), 'the same bytes each time')
  const set = parseGolden(golden.bytes)
  t.equal(set.dataset, 'val (5 of 250)')
  t.ok(
    set.pictures.every(({ bytes: picture }) => picture[0] === 0xff && picture[1] === 0xd8),
    'JPEG files',
  )
  const { manifest, blobs } = makeBundle([file], { ...options, golden })
  t.match(manifest.golden, { images: 5, artefact: { sha256: sha256Of(golden.bytes) } })
  t.ok(blobs.has(manifest.golden!.artefact.blob.sha256))
  await t.rejects(goldenFileFrom({ ...dataset, images: [] }, 5), { code: 'dataset.folder_unusable' })
})

t.test('a variant of a bundle folder is read like a file', async (t) => {
  const folder = join(t.testdir(), 'bundle')
  const content = makeBundle([file], options)
  await writeBundle(folder, content, [key])
  const { id } = content.manifest.variants[0]!
  t.ok(Buffer.from(bytes).equals(await readModelFile(join(folder, id))))
  await t.rejects(readModelFile(join(folder, 'absent')), { code: 'bundle.file_missing', message: id })
  await t.rejects(readModelFile(join(t.testdir(), 'absent')), { code: 'model.file_unreadable' })
  await t.rejects(readModelFile(t.testdir()), {
    code: 'model.file_unreadable',
    message: /it is a folder, expected an \.onnx file or a variant of a bundle, BUNDLE\/VARIANT$/,
  })
})
