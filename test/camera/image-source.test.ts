import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Test } from 'tap'
import t from 'tap'
import { openSource } from '../../src/camera/open-source.js'

const forever = new AbortController().signal
const shape = { inputWidth: 32, inputHeight: 32, mode: 'every-frame' } as const

/** A folder of plain pictures whose grey values are those of `greys`, and what else is given. */
async function folderOf(
  t: Test,
  greys: readonly number[],
  others: Record<string, string> = {},
): Promise<string> {
  const folder = t.testdir(others)
  for (const [index, grey] of greys.entries()) {
    const background = { r: grey, g: grey, b: grey }
    const picture = sharp({ create: { width: 20 + index, height: 10, channels: 3, background } })
    writeFileSync(join(folder, `p${index}.png`), await picture.png().toBuffer())
  }
  return folder
}

async function greysOf(
  uri: string,
  count = Number.POSITIVE_INFINITY,
): Promise<{ greys: number[]; unreadable: number }> {
  const supply = await openSource({ uri, ...shape })
  const greys: number[] = []
  while (greys.length < count) {
    const lease = await supply.next(forever)
    if (lease === undefined) break
    greys.push(new Uint8Array(lease.pixels, lease.byteOffset, lease.byteLength)[(16 * 32 + 16) * 3]!)
    t.equal(lease.letterbox.sourceHeight, 10)
    lease.release()
  }
  const { unreadable } = supply.stats()
  await supply.stop()
  return { greys, unreadable }
}

t.test('the pictures of a folder come once, in order', async (t) => {
  t.same((await greysOf(await folderOf(t, [10, 20, 30, 40, 50, 60]))).greys, [10, 20, 30, 40, 50, 60])
})

t.test('a single picture is one frame', async (t) => {
  t.same((await greysOf(join(await folderOf(t, [77]), 'p0.png'))).greys, [77])
})

t.test('with loop they start over', async (t) => {
  t.same((await greysOf(`${await folderOf(t, [1, 2])}#loop=true`, 5)).greys, [1, 2, 1, 2, 1])
})

t.test('an unreadable picture is left out and counted', async (t) => {
  const folder = await folderOf(t, [5, 6], { 'p00.jpg': 'no picture', 'p1a.png': '' })
  t.same(await greysOf(folder), { greys: [5, 6], unreadable: 2 })
})

t.test('a folder without a readable picture fails, also with loop', async (t) => {
  const folder = t.testdir({ 'a.jpg': 'no picture' })
  for (const uri of [folder, `${folder}#loop=true`, join(folder, 'a.jpg')]) {
    const supply = await openSource({ uri, ...shape })
    await t.rejects(supply.next(forever), {
      code: 'camera.source_invalid',
      message: /no picture of .* can be read/,
    })
    await supply.stop()
  }
})

t.test('an empty folder is refused at once', async (t) => {
  await t.rejects(openSource({ uri: t.testdir({}), ...shape }), { code: 'camera.source_invalid' })
})
