import { join } from 'node:path'
import t from 'tap'
import { openSource } from '../../src/camera/open-source.js'

const shape = { inputWidth: 32, inputHeight: 32, mode: 'live' } as const
const forever = new AbortController().signal

t.test('what cannot be a camera is refused before anything starts', async (t) => {
  const folder = t.testdir({ 'note.txt': '' })
  for (const uri of [
    '',
    'gopher://x',
    'synthetic://?colour=red',
    join(folder, 'gone.mp4'),
    join(folder, 'gone/'),
  ]) {
    await t.rejects(openSource({ uri, ...shape }), { code: 'camera.source_invalid' }, uri)
  }
})

t.test('a supply gives frames of the size that was asked for, until it is stopped', async (t) => {
  const supply = await openSource({
    uri: 'synthetic://?fps=100',
    inputWidth: 96,
    inputHeight: 64,
    mode: 'live',
  })
  const lease = await supply.next(forever)
  t.equal(lease?.byteLength, 96 * 64 * 3)
  t.ok(lease?.pixels instanceof SharedArrayBuffer)
  t.equal(supply.label, 'synthetic://')
  await supply.stop()
  lease?.release()
  t.equal(await supply.next(forever), undefined)
})

t.test("the address's own options win over those of the caller", async (t) => {
  const supply = await openSource({ uri: 'synthetic://?size=64x32', fpsMax: 50, ...shape })
  const lease = await supply.next(forever)
  t.match(lease?.letterbox, { sourceWidth: 64, sourceHeight: 32 })
  lease?.release()
  await supply.stop()
})

t.test('a source slower than the stall limit is not stalled', async (t) => {
  const alive = setInterval(() => undefined, 1000)
  t.teardown(() => {
    clearInterval(alive)
  })
  const supply = await openSource({ uri: 'synthetic://?fps=4', stallTimeoutMs: 40, ...shape })
  for (let frame = 0; frame < 3; frame++) (await supply.next(forever))?.release()
  t.match(supply.stats(), { captured: 3, restarts: 0 })
  await supply.stop()
})
