import t from 'tap'
import { seededRandom, shuffle, type Random } from '../../src/base/random.js'
import { BlobStore } from '../../src/store/blob-store.js'
import { nodeFileSystem } from '../../src/store/fs.js'
import { openStore } from '../../src/store/store.js'
import { bytesFrom, chunkOf, describeBlob } from '../helpers/blobs.js'
import { LossyFileSystem, PowerCut } from '../helpers/lossy-fs.js'
import { TestClock } from '../helpers/test-clock.js'

const CHUNK_BYTES = 1024
const quota = { limitBytes: 1 << 30, reserveBytes: 0 }
const bytes = bytesFrom(1, 9 * CHUNK_BYTES + 100)
const blob = describeBlob(bytes, CHUNK_BYTES)

async function emptyStore(files = new LossyFileSystem()) {
  return openStore({ root: '/store', quota, outboxLimitBytes: 1 << 20, files })
}

t.test('a download whose chunks arrive in any order becomes a blob', async (t) => {
  const { blobs } = await emptyStore()
  const partial = await blobs.openPartial(blob)
  t.same(partial.missingChunks(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  for (const index of shuffle(partial.missingChunks(), seededRandom(3))) {
    t.equal(await partial.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index)), 'stored')
  }
  t.same(partial.missingChunks(), [])
  t.same(await partial.finish(), { state: 'complete' })
  t.same(await blobs.read(blob.sha256), Buffer.from(bytes))
})

t.test('chunks written at the same time all arrive', async (t) => {
  const { blobs } = await emptyStore()
  const partial = await blobs.openPartial(blob)
  await Promise.all(
    blob.chunks.map((_, index) => partial.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))),
  )
  t.same(await partial.finish(), { state: 'complete' })
  t.equal(await blobs.verify(blob.sha256), 'intact')
})

t.test(
  'a chunk that is wrong, too long, too short or of no such index is refused and leaves nothing',
  async (t) => {
    const { blobs } = await emptyStore()
    const partial = await blobs.openPartial(blob)
    const right = chunkOf(bytes, CHUNK_BYTES, 0)
    const cases: [string, number, Uint8Array][] = [
      ['another chunk', 0, chunkOf(bytes, CHUNK_BYTES, 1)],
      ['one byte short', 0, right.subarray(1)],
      ['one byte long', 0, Uint8Array.from([...right, 0])],
      ['empty', 0, new Uint8Array()],
      ['behind the end', 10, right],
      ['before the beginning', -1, right],
      ['between', 0.5, right],
      ['a full last chunk', 9, right],
    ]
    for (const [name, index, chunk] of cases)
      t.equal(await partial.writeChunk(index, chunk), 'mismatch', name)
    t.equal(partial.missingChunks().length, 10)
  },
)

t.test('a closed download goes on where it was', async (t) => {
  const files = new LossyFileSystem()
  const first = await (await emptyStore(files)).blobs.openPartial(blob)
  await first.writeChunk(2, chunkOf(bytes, CHUNK_BYTES, 2))
  await first.writeChunk(9, chunkOf(bytes, CHUNK_BYTES, 9))
  await first.close()
  await first.close()
  const second = await (await emptyStore(files.afterPowerCut(seededRandom(1)))).blobs.openPartial(blob)
  t.same(second.missingChunks(), [0, 1, 3, 4, 5, 6, 7, 8])
})

t.test('a description with another chunk grid starts anew', async (t) => {
  const { blobs } = await emptyStore()
  const first = await blobs.openPartial(blob)
  await first.writeChunk(0, chunkOf(bytes, CHUNK_BYTES, 0))
  await first.close()
  const second = await blobs.openPartial(describeBlob(bytes, 512))
  t.equal(second.missingChunks().length, 19)
})

t.test('a chunk that another blob has is not missing', async (t) => {
  const { blobs } = await emptyStore()
  const first = await blobs.openPartial(blob)
  for (const index of first.missingChunks()) await first.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
  await first.finish()
  const next = Uint8Array.from(bytes)
  next[3 * CHUNK_BYTES] = next[3 * CHUNK_BYTES]! ^ 1
  const nextBlob = describeBlob(next, CHUNK_BYTES)
  const second = await blobs.openPartial(nextBlob)
  t.same(second.missingChunks(), [3])
  await second.writeChunk(3, chunkOf(next, CHUNK_BYTES, 3))
  t.same(await second.finish(), { state: 'complete' })
  t.equal(await blobs.verify(nextBlob.sha256), 'intact')
})

t.test('a blob that has gone bad lends no chunk', async (t) => {
  const files = new LossyFileSystem()
  const { blobs, layout } = await emptyStore(files)
  const first = await blobs.openPartial(blob)
  for (const index of first.missingChunks()) await first.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
  await first.finish()
  files.corrupt(layout.blob(blob.sha256), (content) => content.fill(0, 0, 4))
  const next = Uint8Array.from(bytes)
  next[3 * CHUNK_BYTES] = next[3 * CHUNK_BYTES]! ^ 1
  const second = await blobs.openPartial(describeBlob(next, CHUNK_BYTES))
  t.same(second.missingChunks(), [0, 3])
  await second.close()
  t.equal(await blobs.verify(blob.sha256), 'corrupt')
  t.equal(await blobs.verify(blob.sha256), 'absent')
})

t.test(
  'bytes that rot before the end are found by the whole digest and only they are fetched again',
  async (t) => {
    const files = new LossyFileSystem()
    const { blobs, layout } = await emptyStore(files)
    const partial = await blobs.openPartial(blob)
    for (const index of partial.missingChunks())
      await partial.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
    files.corrupt(layout.partialData(blob.sha256), (content) =>
      content.fill(7, 4 * CHUNK_BYTES, 4 * CHUNK_BYTES + 9),
    )
    t.same(await partial.finish(), { state: 'damaged', lostChunks: [4] })
    t.same(partial.missingChunks(), [4])
    await partial.writeChunk(4, chunkOf(bytes, CHUNK_BYTES, 4))
    t.same(await partial.finish(), { state: 'complete' })
  },
)

t.test('chunks that are right but do not make up the whole are refused', async (t) => {
  const { blobs } = await emptyStore()
  const partial = await blobs.openPartial({ ...blob, sha256: '0'.repeat(64) })
  for (const index of partial.missingChunks())
    await partial.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
  await t.rejects(partial.finish(), { code: 'integrity.digest_mismatch' })
  t.equal(await blobs.has('0'.repeat(64)), false)
})

t.test('hostile descriptions do not reach the disk', async (t) => {
  const { blobs } = await emptyStore()
  for (const sha256 of [
    '../../etc/passwd',
    '..',
    '',
    'A'.repeat(64),
    `${'a'.repeat(64)}/x`,
    `${'a'.repeat(63)}\n`,
  ]) {
    await t.rejects(blobs.openPartial({ ...blob, sha256 }), { code: 'protocol.name_invalid' }, sha256)
  }
  const contradictions = [
    { sizeBytes: 0 },
    { sizeBytes: -1 },
    { chunkSizeBytes: 0 },
    { sizeBytes: 1e15 },
    { chunkSizeBytes: 7 },
  ]
  for (const change of contradictions) {
    await t.rejects(blobs.openPartial({ ...blob, ...change }), { code: 'protocol.payload_malformed' })
  }
})

t.test('a blob that does not fit is refused before anything is written, with the figures', async (t) => {
  const files = new LossyFileSystem()
  const store = await openStore({
    root: '/store',
    quota: { limitBytes: 5000, reserveBytes: 0 },
    outboxLimitBytes: 1,
    files,
  })
  await t.rejects(store.blobs.openPartial(blob), {
    code: 'resource.disk_full',
    message: /needed.*free.*limit/,
  })
  const tight = new BlobStore(files, store.layout, { limitBytes: 1e9, reserveBytes: 1e6 })
  files.freeSpaceBytes = 1e6 + 9000
  await t.rejects(tight.openPartial(blob), { code: 'resource.disk_full' })
  t.same(await files.list(store.layout.partialFolder), [])
})

/** One life of a device: downloads until it is done or the power goes off. */
async function downloadUntilCut(files: LossyFileSystem, random: Random): Promise<'done' | 'cut' | 'damaged'> {
  try {
    const { blobs } = await emptyStore(files)
    if (await blobs.has(blob.sha256)) return 'done'
    const partial = await blobs.openPartial(blob)
    for (const index of shuffle(partial.missingChunks(), random)) {
      await partial.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
      if (random.integer(3) === 0) await partial.flush()
    }
    return (await partial.finish()).state === 'complete' ? 'done' : 'damaged'
  } catch (thrown) {
    if (!(thrown instanceof PowerCut) && !((thrown as Error).cause instanceof PowerCut)) throw thrown
    return 'cut'
  }
}

t.test('after a power cut at any moment the download goes on and ends with the right bytes', async (t) => {
  const schedules = Number(process.env['POWER_CUT_SCHEDULES'] ?? 200)
  let cuts = 0
  for (let seed = 0; seed < schedules; seed++) {
    const random = seededRandom(seed)
    let files = new LossyFileSystem()
    let outcome = 'cut'
    for (let life = 0; life < 40 && outcome === 'cut'; life++) {
      // Later lives last longer, so that each schedule ends.
      files.cutAfter = random.integer(20 + 4 * life)
      outcome = await downloadUntilCut(files, random)
      if (outcome === 'cut') cuts++
      files = files.afterPowerCut(random)
    }
    // `damaged` would mean that a chunk was recorded that is not on the disk.
    if (outcome !== 'done') t.fail(`seed ${seed}: ${outcome}`)
    const { blobs } = await emptyStore(files)
    if ((await blobs.verify(blob.sha256)) !== 'intact') t.fail(`seed ${seed}: no intact blob in the end`)
  }
  t.ok(cuts > schedules, `${cuts} power cuts in ${schedules} schedules`)
})

t.test('on the real file system a download survives being opened again', async (t) => {
  const root = t.testdir()
  const open = () => openStore({ root, quota, outboxLimitBytes: 1 << 20, files: nodeFileSystem })
  const first = await (await open()).blobs.openPartial(blob)
  for (const index of [0, 5]) await first.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
  await first.flush()
  const { blobs } = await open()
  const second = await blobs.openPartial(blob)
  t.same(second.missingChunks(), [1, 2, 3, 4, 6, 7, 8, 9])
  for (const index of second.missingChunks())
    await second.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
  t.same(await second.finish(), { state: 'complete' })
  t.equal(await blobs.verify(blob.sha256), 'intact')
  await first.close()
})

t.test('over a slow line a chunk is recorded within seconds, however small', async (t) => {
  const files = new LossyFileSystem()
  const clock = new TestClock()
  const store = await openStore({ root: '/store', quota, outboxLimitBytes: 1 << 20, files, clock })
  const partial = await store.blobs.openPartial(blob)
  const write = (index: number) => partial.writeChunk(index, chunkOf(bytes, CHUNK_BYTES, index))
  await write(0)
  clock.advance(5000)
  await write(1)
  clock.advance(500)
  await write(2)
  // What is recorded is recorded without the writer waiting for it.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  const { blobs } = await emptyStore(files.afterPowerCut(seededRandom(1)))
  const missing = (await blobs.openPartial(blob)).missingChunks()
  t.notOk(missing.includes(0), 'the first chunk came seconds ago')
  t.notOk(missing.includes(1), 'it ended the group')
})
