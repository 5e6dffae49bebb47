import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import t from 'tap'
import { openSource } from '../../src/camera/open-source.js'
import { allowOnlyTools, skipWithoutTool } from '../helpers/clips.js'

const skip = skipWithoutTool('fswebcam')
const forever = new AbortController().signal
const shape = { inputWidth: 64, inputHeight: 64, mode: 'live' } as const

const snapshotFolders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('yolo-edge-'))

t.test("snapshots of fswebcam's test source", { skip }, async (t) => {
  const before = new Set(snapshotFolders())
  const supply = await openSource({ uri: 'webcam://TEST?size=320x240&fps=20', ...shape })
  for (let frame = 0; frame < 3; frame++) {
    const lease = await supply.next(forever)
    t.match(lease?.letterbox, { sourceWidth: 320, sourceHeight: 240, scaledWidth: 64, scaledHeight: 48 })
    const pixels = lease === undefined ? [] : new Uint8Array(lease.pixels, lease.byteOffset, lease.byteLength)
    t.ok(new Set(pixels).size > 2, 'a picture, not a plain colour')
    lease?.release()
  }
  await supply.stop()
  t.same(
    snapshotFolders().filter((name) => !before.has(name)),
    [],
  )
})

t.test('a camera that is not there is an error that names it', { skip }, async (t) => {
  const supply = await openSource({ uri: 'webcam:///dev/video63', ...shape, faultsMax: 1 })
  await t.rejects(supply.next(forever), { code: 'camera.open_failed', message: /\/dev\/video63/ })
  await supply.stop()
})

t.test('without fswebcam its package is named', async (t) => {
  allowOnlyTools(t, ['timeout'])
  const supply = await openSource({ uri: 'webcam://TEST', ...shape })
  await t.rejects(supply.next(forever), { code: 'resource.tool_missing', message: /apt install fswebcam/ })
  await supply.stop()
})
