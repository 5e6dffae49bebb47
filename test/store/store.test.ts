import { writeFileSync, mkdirSync, readdirSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import { type FileSystem, nodeFileSystem } from '../../src/store/fs.js'
import { openStore } from '../../src/store/store.js'
import { bytesFrom, describeBlob } from '../helpers/blobs.js'

const emptyPointer = {
  deploymentId: 'd',
  model: 'm',
  version: '1.0.0',
  sequence: 0,
  variantId: 'v',
  manifestSha256: '0'.repeat(64),
  blobSha256s: [],
  sinceMs: 0,
}

const open = (root: string) =>
  openStore({ root, quota: { limitBytes: 1e6, reserveBytes: 0 }, outboxLimitBytes: 1000 })

t.test('garbage collection keeps what slots and the deployment in progress need', async (t) => {
  const store = await open(t.testdir())
  const write = async (seed: number) => ({
    blob: await store.blobs.write(bytesFrom(seed, 100)),
    manifest: await store.manifests.write(bytesFrom(seed, 50)),
  })
  const [one, two, three, four, five] = [
    await write(1),
    await write(2),
    await write(3),
    await write(4),
    await write(5),
  ]
  const pointer = (name: string, sequence: number, files: { blob: string; manifest: string }) => ({
    deploymentId: name,
    model: 'm',
    version: '1.0.0',
    sequence,
    variantId: 'v',
    manifestSha256: files.manifest,
    blobSha256s: [files.blob],
    sinceMs: 0,
  })
  for (const [name, sequence, files] of [
    ['one', 1, one],
    ['two', 2, two],
  ] as const) {
    await store.slots.setCandidate(pointer(name, sequence, files))
    await store.slots.promote(name, 1)
    await store.slots.commit()
  }
  await store.slots.setCandidate(pointer('three', 3, three))
  await store.slots.promote('three', 1)
  const stale = await store.blobs.openPartial(describeBlob(bytesFrom(9, 3000), 1000))
  await stale.close()
  const collected = await store.collectGarbage({ blobSha256s: [four.blob], manifestSha256s: [four.manifest] })
  t.match(collected, { blobs: 1, partials: 1, manifests: 1 })
  t.ok(collected.freedBytes >= 3150)
  for (const files of [one, two, three, four]) {
    t.equal(await store.blobs.verify(files.blob), 'intact')
    t.ok(await store.manifests.read(files.manifest))
  }
  t.equal(await store.blobs.verify(five.blob), 'absent')
  t.equal(await store.manifests.read(five.manifest), undefined)
})

t.test('opening clears what a cut off write left', async (t) => {
  const root = t.testdir()
  mkdirSync(join(root, 'state'))
  writeFileSync(join(root, 'state', '.slots.a.tmp'), 'half')
  await open(root)
  t.notOk(existsSync(join(root, 'state', '.slots.a.tmp')))
})

/** The file system of the machine, on which reading some files fails as on rotten sectors, and removing them too. */
function failingOn(isBad: (path: string) => boolean): FileSystem {
  const failure = (): Promise<never> =>
    Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))
  return {
    ...nodeFileSystem,
    open: async (path, mode) => {
      const file = await nodeFileSystem.open(path, mode)
      return isBad(path) ? { ...file, read: failure } : file
    },
    remove: (path) => (isBad(path) ? failure() : nodeFileSystem.remove(path)),
  }
}

t.test('a copy of a record that cannot be read stops nothing: the other one counts', async (t) => {
  const root = t.testdir()
  const first = await open(root)
  for (const value of [1, 2]) {
    await first.journal.write({ value })
    await first.measurements.set('key', value)
    await first.slots.setCandidate({ ...emptyPointer, sequence: value })
  }
  for (const copy of ['a', 'b']) {
    const files = failingOn((path) => path.endsWith(`.${copy}`))
    const store = await openStore({
      root,
      quota: { limitBytes: 1e6, reserveBytes: 0 },
      outboxLimitBytes: 1000,
      files,
    })
    t.match(await store.journal.read(), { state: 'valid', damaged: true })
    t.ok([1, 2].includes(Number(await store.measurements.get('key'))))
    t.ok([1, 2].includes(store.slots.state.candidate?.sequence ?? 0))
    t.same(store.problems, [])
  }
})

t.test('what a cut off write left stops nothing where it cannot be removed', async (t) => {
  const root = t.testdir()
  await open(root)
  writeFileSync(join(root, 'state', '.slots.a.tmp'), 'half')
  const files = failingOn((path) => path.endsWith('.tmp'))
  await openStore({ root, quota: { limitBytes: 1e6, reserveBytes: 0 }, outboxLimitBytes: 1000, files })
  t.pass('the store is open')
})

t.test('a blob is read again only when its size or its times have changed', async (t) => {
  const root = t.testdir()
  let reads = 0
  const files: FileSystem = {
    ...nodeFileSystem,
    open: (path, mode) => {
      if (path.includes('blobs')) reads++
      return nodeFileSystem.open(path, mode)
    },
  }
  const { blobs } = await openStore({
    root,
    quota: { limitBytes: 1e6, reserveBytes: 0 },
    outboxLimitBytes: 1000,
    files,
  })
  const sha256 = await blobs.write(bytesFrom(1, 5000))
  reads = 0
  for (let time = 0; time < 3; time++) t.equal(await blobs.prove(sha256), 'intact')
  t.equal(reads, 1)
  const flipped = Buffer.from(bytesFrom(1, 5000))
  flipped[77] = flipped[77]! ^ 1
  writeFileSync(blobs.pathOf(sha256), flipped)
  t.equal(await blobs.prove(sha256), 'corrupt')
  t.equal(await blobs.prove(sha256), 'absent')
  mkdirSync(blobs.pathOf(sha256))
  t.equal(await blobs.prove(sha256), 'corrupt', 'a folder in its place')
  t.equal(await blobs.prove(sha256), 'absent')
})

t.test('a packed file that has gone bad is gone after it could not be unpacked', async (t) => {
  const { blobs } = await open(t.testdir())
  const packed = Buffer.from(brotliCompressSync(bytesFrom(3, 5000)))
  const blob = describeBlob(packed, 1000)
  await blobs.write(packed)
  writeFileSync(blobs.pathOf(blob.sha256), packed.subarray(0, 99))
  const artefact = { sha256: sha256Of(bytesFrom(3, 5000)), sizeBytes: 5000, encoding: 'br', blob } as const
  await t.rejects(blobs.unpack(artefact), { code: 'integrity.digest_mismatch' })
  t.notOk(await blobs.has(blob.sha256))
})

t.test('a store in a place that is no folder is refused with a code', async (t) => {
  const root = t.testdir({ file: 'text' })
  await t.rejects(open(join(root, 'file')), { code: 'resource.file_unwritable' })
})

t.test('manifests that rot count as absent and are written again', async (t) => {
  const root = t.testdir()
  const { manifests } = await open(root)
  const sha256 = await manifests.write(Buffer.from('{"model":1}'))
  t.same(await manifests.list(), [sha256])
  writeFileSync(join(root, 'manifests', sha256), '{"model":2}')
  t.equal(await manifests.read(sha256), undefined)
  await manifests.write(Buffer.from('{"model":1}'))
  t.same(await manifests.read(sha256), Buffer.from('{"model":1}'))
  await t.rejects(manifests.read('../state/slots.a'), { code: 'protocol.name_invalid' })
})

t.test('measurements', (t) => {
  t.test('survive and are found by their key', async (t) => {
    const root = t.testdir()
    const first = await open(root)
    t.equal(await first.measurements.get('a b'), undefined)
    await first.measurements.set('a b', { p95Ms: 12.5 })
    await first.measurements.set('__proto__', { p95Ms: 1 })
    const second = await open(root)
    t.same(await second.measurements.get('a b'), { p95Ms: 12.5 })
    t.same(await second.measurements.get('__proto__'), { p95Ms: 1 })
  })

  t.test('a rotten cache is an empty cache', async (t) => {
    const root = t.testdir()
    await (await open(root)).measurements.set('a', 1)
    for (const name of readdirSync(join(root, 'state'))) writeFileSync(join(root, 'state', name), 'rot')
    const { measurements } = await open(root)
    t.equal(await measurements.get('a'), undefined)
    await measurements.set('a', 2)
    t.equal(await (await open(root)).measurements.get('a'), 2)
  })

  t.test('the oldest goes when there are too many', async (t) => {
    const { measurements } = await open(t.testdir())
    for (let index = 0; index < 258; index++) await measurements.set(`key ${index}`, index)
    t.equal(await measurements.get('key 0'), undefined)
    t.equal(await measurements.get('key 1'), undefined)
    t.equal(await measurements.get('key 2'), 2)
  })
  t.end()
})

t.test('an encoded blob becomes the file it stands for', async (t) => {
  const store = await open(t.testdir())
  const file = Buffer.from('the same words again and again, '.repeat(9000))
  for (const [encoding, encode] of [
    ['br', brotliCompressSync],
    ['gzip', gzipSync],
  ] as const) {
    const packed = encode(file)
    await store.blobs.write(packed)
    const artefact = {
      sha256: sha256Of(file),
      sizeBytes: file.length,
      encoding,
      blob: describeBlob(packed, 1024),
    }
    await store.blobs.unpack(artefact)
    t.equal(await store.blobs.verify(artefact.sha256), 'intact')
    await store.blobs.remove(artefact.sha256)
    const refusals = [
      { ...artefact, sizeBytes: 1000 },
      { ...artefact, sha256: '0'.repeat(64) },
      { ...artefact, encoding: 'zstd-x' },
      { ...artefact, encoding: encoding === 'br' ? 'gzip' : 'br' },
      { ...artefact, encoding: 'constructor' },
    ]
    for (const refused of refusals) {
      await t.rejects(store.blobs.unpack(refused), { code: 'integrity.digest_mismatch' })
      t.equal(await store.blobs.has(refused.sha256), false)
      t.same(readdirSync(store.layout.partialFolder), [])
    }
  }
})
