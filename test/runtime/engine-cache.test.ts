import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import { EngineCache, type EngineFolder, type EngineIdentity } from '../../src/runtime/engine-cache.js'
import { openSessionIn } from '../../src/runtime/native/native-session.js'
import { FakeOrt } from '../helpers/fake-ort.js'

const identity: EngineIdentity = {
  modelSha256: sha256Of('model'),
  runtime: '/opt/libonnxruntime.so 1 2',
  provider: 'tensorrt',
  providerVersion: '10.3.0',
  board: 'Jetson Orin Nano',
  flags: { trt_fp16_enable: '1', device_id: '0' },
}

async function folderFor(t: Test, cache: EngineCache, of: EngineIdentity = identity): Promise<EngineFolder> {
  const prepared = await cache.prepare(of)
  if (prepared.state === 'unwritable') {
    t.fail(prepared.reason)
    throw new Error(prepared.reason)
  }
  return prepared.folder
}

const source = { bytes: Buffer.from('a model') }
const session = { providers: ['tensorrt'], intraOpThreads: 1 }

t.test('an engine is built once, and only for what it was built with', async (t) => {
  const cache = new EngineCache(join(t.testdir(), 'engines'))
  const ort = new FakeOrt()
  const open = async (of: EngineIdentity): Promise<void> => {
    const folder = await folderFor(t, cache, of)
    const options = { ...session, engineFolder: folder.path, providerOptions: { tensorrt: of.flags } }
    await openSessionIn(ort.api, source, options).release()
    if (!folder.isBuilt) await folder.complete(90_000)
  }
  await open(identity)
  await open(identity)
  await open({ ...identity, flags: { device_id: '0', trt_fp16_enable: '1' } })
  t.same(
    ort.opened.map(({ engine }) => engine),
    ['built', 'loaded', 'loaded'],
    'the order of flags plays no part',
  )
  const others: Partial<EngineIdentity>[] = [
    { modelSha256: sha256Of('another model') },
    { runtime: '/opt/libonnxruntime.so 1 3' },
    { providerVersion: '10.7.0' },
    { board: 'Jetson AGX Orin' },
    { flags: { trt_fp16_enable: '0', device_id: '0' } },
  ]
  for (const other of others) {
    await open({ ...identity, ...other })
    t.equal(ort.opened.at(-1)?.engine, 'built', JSON.stringify(other))
  }
  t.same(ort.alive, [], 'every native object was released')
})

t.test('options reach the provider as strings, the owner has the last word', async (t) => {
  const cache = new EngineCache(t.testdir())
  const folder = await folderFor(t, cache)
  const ort = new FakeOrt()
  const own = { trt_dla_enable: '1', trt_dla_core: '0', trt_int8_enable: '1', trt_timing_cache_enable: '0' }
  await openSessionIn(ort.api, source, {
    ...session,
    providers: ['tensorrt', 'cuda'],
    engineFolder: folder.path,
    providerOptions: { tensorrt: own },
  }).release()
  t.same(ort.appended, ['tensorrt', 'cuda'])
  t.same(ort.opened[0]?.options, {
    trt_engine_cache_enable: '1',
    trt_engine_cache_path: folder.path,
    trt_timing_cache_path: folder.path,
    ...own,
  })
  const wrong = { ...session, providerOptions: { tensorrt: { trt_fp61_enable: '1' } } }
  t.throws(() => openSessionIn(ort.api, source, wrong), {
    code: 'inference.provider_unavailable',
    message: /Unknown provider option: "trt_fp61_enable"/,
  })
  t.throws(() => openSessionIn(ort.api, source, { ...session, engineFolder: join(folder.path, 'gone') }), {
    code: 'inference.load_failed',
    message: /failed to create cache directory/,
  })
  t.same(ort.alive, [], 'also after refusals')
})

t.test('a build that was interrupted is begun anew', async (t) => {
  const cache = new EngineCache(t.testdir())
  const first = await folderFor(t, cache)
  t.equal(first.isBuilt, false)
  writeFileSync(join(first.path, 'half.engine'), 'half')
  const second = await folderFor(t, cache)
  t.same(readdirSync(second.path), [])
  writeFileSync(join(second.path, 'whole.engine'), 'whole')
  await second.complete(42_000)
  const third = await folderFor(t, cache)
  t.equal(third.isBuilt, true)
  t.ok(existsSync(join(third.path, 'whole.engine')))
  t.equal((await folderFor(t, cache, { ...identity, board: 'another' })).expectedBuildMs, 42_000)
})

t.test('a place that cannot be written to is said, not found out by the provider', async (t) => {
  const folder = t.testdir({ file: 'not a folder' })
  t.match(await new EngineCache(join(folder, 'file', 'engines')).prepare(identity), {
    state: 'unwritable',
    reason: /cannot keep engines in .*ENOTDIR/,
  })
  if (process.getuid?.() === 0) return
  const locked = join(folder, 'locked')
  mkdirSync(locked)
  chmodSync(locked, 0o500)
  t.match(await new EngineCache(locked).prepare(identity), { state: 'unwritable', reason: /EACCES/ })
})

t.test('engines of models that are gone are removed', async (t) => {
  const root = t.testdir()
  const cache = new EngineCache(root)
  const kept = await folderFor(t, cache)
  await kept.complete(1)
  await (await folderFor(t, cache, { ...identity, modelSha256: sha256Of('old') })).complete(1)
  await folderFor(t, cache, { ...identity, board: 'unfinished' })
  t.equal(await cache.collectGarbage([identity.modelSha256]), 2)
  t.same(
    readdirSync(root).map((name) => join(root, name)),
    [kept.path],
  )
  rmSync(root, { recursive: true })
  t.equal(await cache.collectGarbage([]), 0, 'nothing was ever built')
})
