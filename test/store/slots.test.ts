import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import type { ModelPointer } from '../../src/store/slots.js'
import { openStore } from '../../src/store/store.js'
import { LossyFileSystem, PowerCut } from '../helpers/lossy-fs.js'

const open = (files: LossyFileSystem) =>
  openStore({ root: '/store', quota: { limitBytes: 1e6, reserveBytes: 0 }, outboxLimitBytes: 1, files })

const pointer = (name: string, sequence: number): ModelPointer => ({
  deploymentId: name,
  model: 'shelf',
  version: `1.0.${sequence}`,
  sequence,
  variantId: 'int8',
  manifestSha256: sequence.toString(16).padStart(64, '0'),
  blobSha256s: [sequence.toString(16).padStart(64, 'b')],
  sinceMs: 0,
})

async function withOneModel() {
  const files = new LossyFileSystem()
  const { slots } = await open(files)
  await slots.setCandidate(pointer('one', 1))
  await slots.promote('one', 10)
  await slots.commit()
  return { files, slots }
}

t.test('a new store has no model', async (t) => {
  const { slots, problems } = await open(new LossyFileSystem())
  t.same(slots.state, { sequences: {} })
  t.same(problems, [])
})

t.test('candidate, switch, commit', async (t) => {
  const { files, slots } = await withOneModel()
  await slots.setCandidate(pointer('two', 2))
  t.equal(slots.state.active?.deploymentId, 'one')
  await slots.promote('two', 20)
  t.match(slots.state, { active: { deploymentId: 'two', sinceMs: 20 }, previous: { deploymentId: 'one' } })
  t.equal(slots.state.candidate, undefined)
  t.same(slots.state.sequences, { shelf: 1 })
  await slots.commit()
  t.same(slots.state.sequences, { shelf: 2 })
  const again = await open(files.afterPowerCut(seededRandom(0)))
  t.same(again.slots.state, slots.state)
})

t.test('a roll back restores what was active and previous before the switch', async (t) => {
  const { slots } = await withOneModel()
  await slots.setCandidate(pointer('two', 2))
  await slots.promote('two', 20)
  await slots.commit()
  const before = slots.state
  await slots.setCandidate(pointer('three', 3))
  await slots.promote('three', 30)
  await slots.rollBack()
  t.same(slots.state, before)
  await slots.rollBack()
  t.same(slots.state, before, 'repeating it changes nothing')
})

t.test('a roll back of the first model leaves none', async (t) => {
  const { slots } = await open(new LossyFileSystem())
  await slots.setCandidate(pointer('one', 1))
  await slots.promote('one', 1)
  await slots.rollBack()
  t.same(slots.state, { sequences: {} })
})

t.test('promoting twice is once, promoting another deployment is refused', async (t) => {
  const { slots } = await withOneModel()
  await slots.setCandidate(pointer('two', 2))
  await t.rejects(slots.promote('three', 1), { code: 'store.state_corrupt' })
  await slots.promote('two', 20)
  const after = slots.state
  await slots.promote('two', 99)
  t.same(slots.state, after)
})

t.test('a person can go back to the previous model, and forth', async (t) => {
  const { slots } = await withOneModel()
  await t.rejects(slots.activatePrevious(1), { code: 'bundle.file_missing' })
  await slots.setCandidate(pointer('two', 2))
  await slots.promote('two', 20)
  await slots.commit()
  await slots.activatePrevious(30)
  t.match(slots.state, { active: { deploymentId: 'one', sinceMs: 30 }, previous: { deploymentId: 'two' } })
  t.same(slots.state.sequences, { shelf: 2 }, 'the floor does not sink')
})

t.test(
  'a model with a lower sequence serves where somebody wants it, and the floor does not sink',
  async (t) => {
    const { slots } = await withOneModel()
    for (const [name, sequence] of [
      ['five', 5],
      ['two', 2],
    ] as const) {
      await slots.setCandidate(pointer(name, sequence))
      await slots.promote(name, sequence)
      await slots.commit()
    }
    t.equal(slots.state.active?.deploymentId, 'two')
    t.same(slots.state.sequences, { shelf: 5 })
    await slots.setCandidate({ ...pointer('cups', 3), model: 'cups' })
    await slots.promote('cups', 9)
    await slots.commit()
    t.same(
      Object.entries(slots.state.sequences).sort(),
      [
        ['cups', 3],
        ['shelf', 5],
      ].sort(),
      'a floor a model',
    )
  },
)

t.test('a manifest that was fetched again is kept under its new digest', async (t) => {
  const { slots } = await withOneModel()
  await slots.setCandidate(pointer('two', 2))
  await slots.promote('two', 20)
  await slots.commit()
  const sha256 = 'c'.repeat(64)
  await slots.renameManifest('one', sha256)
  t.match(slots.state, {
    active: { manifestSha256: pointer('two', 2).manifestSha256 },
    previous: { manifestSha256: sha256 },
  })
  await slots.renameManifest('two', sha256)
  t.equal(slots.state.active?.manifestSha256, sha256)
  const before = slots.state
  await slots.renameManifest('nobody', 'd'.repeat(64))
  t.equal(slots.state, before, 'nothing is written where nothing changes')
})

t.test('one rotten copy costs one step, two are reported and nothing is collected as garbage', async (t) => {
  const { files, slots } = await withOneModel()
  await slots.setCandidate(pointer('two', 2))
  const rot = (content: Buffer) => content.fill(0x20, content.length - 9)
  const disk = files.afterKill()
  disk.corrupt('/store/state/slots.b', rot)
  const once = await open(disk)
  t.equal(once.slots.state.active?.deploymentId, 'one')
  disk.corrupt('/store/state/slots.a', rot)
  const { slots: lost, problems, manifests, collectGarbage } = await open(disk)
  t.match(problems, [{ code: 'store.state_corrupt' }])
  t.same(lost.state, { sequences: {} })
  await manifests.write(Buffer.from('{}'))
  t.same(await collectGarbage({ blobSha256s: [], manifestSha256s: [] }), {
    blobs: 0,
    partials: 0,
    manifests: 0,
    freedBytes: 0,
  })
  await lost.setCandidate(pointer('two', 2))
  t.equal((await collectGarbage({ blobSha256s: [], manifestSha256s: [] })).manifests, 1)
})

t.test('intact bytes of another shape are no slots', async (t) => {
  const { files } = await withOneModel()
  const { journal } = await open(files)
  await journal.write({ active: { variantId: 7 } })
  const store = await open(files)
  const bytes = await store.journal.read()
  t.match(bytes, { state: 'valid' })
  const { DoubleRecord } = await import('../../src/store/double-record.js')
  const foreign = new DoubleRecord(files, '/store/state/slots', { kind: 'slots', format: 1 })
  await foreign.write({ active: { variantId: 7 } })
  const { problems } = await open(files)
  t.match(problems, [{ code: 'store.state_corrupt', message: /another shape/ }])
})

t.test('after a power cut at any moment the slots are those before or after the step', async (t) => {
  const { files } = await withOneModel()
  for (let seed = 0; seed < Number(process.env['POWER_CUT_SCHEDULES'] ?? 200); seed++) {
    const random = seededRandom(seed)
    const disk = files.afterKill()
    const { slots } = await open(disk)
    const seen = [JSON.stringify(slots.state)]
    disk.cutAfter = random.integer(25)
    try {
      const steps = [
        () => slots.setCandidate(pointer('two', 2)),
        () => slots.promote('two', 20),
        () => (seed % 2 === 0 ? slots.commit() : slots.rollBack()),
      ]
      for (const step of steps) {
        await step()
        seen.push(JSON.stringify(slots.state))
      }
    } catch (thrown) {
      if (!((thrown as Error).cause instanceof PowerCut)) throw thrown
    }
    const after = await open(disk.afterPowerCut(random))
    // What was acknowledged is there, or the one write that was under way; a roll back leads to the first state.
    const found = JSON.stringify(after.slots.state)
    const isRollBackUnderWay = seed % 2 === 1 && seen.length === 3
    const isNext = !seen.includes(found) || (isRollBackUnderWay && found === seen[0])
    if ((found !== seen.at(-1) && !isNext) || after.problems.length > 0) t.fail(`seed ${seed}: ${found}`)
    if (after.slots.state.active === undefined) t.fail(`seed ${seed}: no model is active`)
  }
  t.pass()
})
