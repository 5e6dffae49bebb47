import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readRgb } from '../../src/camera/read-image.js'
import { savePicture } from '../../src/camera/save-picture.js'

const picture = { data: new Uint8Array(64 * 48 * 3).fill(120), width: 64, height: 48 }

t.test('the ending chooses the format, and only the file is left', async (t) => {
  const folder = t.testdir({})
  for (const name of ['a.jpg', 'b.JPEG', 'deep/c.png']) {
    await savePicture(join(folder, name), picture, [], [])
    const read = await readRgb(join(folder, name))
    t.same([read.width, read.height], [64, 48])
    t.ok(Math.abs(read.data[0]! - 120) <= 2)
  }
  t.same(readdirSync(folder).sort(), ['a.jpg', 'b.JPEG', 'deep'])
})

t.test('another ending is refused, and nothing is written', async (t) => {
  const folder = t.testdir({})
  await t.rejects(savePicture(join(folder, 'a.bmp'), picture, [], []), {
    code: 'cli.argument_invalid',
    message: /a\.bmp.*\.png/,
  })
  t.same(readdirSync(folder), [])
})

t.test('a place that cannot be written to is named', async (t) => {
  const folder = t.testdir({ file: '' })
  await t.rejects(savePicture(join(folder, 'file', 'a.png'), picture, [], []), {
    code: 'resource.file_unwritable',
    message: /a\.png/,
  })
})
