import { join, relative } from 'node:path'
import t from 'tap'
import { isImagePath, listImages } from '../../src/camera/image-files.js'

t.test('pictures of all folders below come in the order of their names, numbers by value', async (t) => {
  const folder = t.testdir({
    'b10.jpg': '',
    'b2.JPG': '',
    'a.png': '',
    'note.txt': '',
    '.hidden.jpg': '',
    deep: { 'c.jpg': '', '.hidden': { 'd.jpg': '' } },
    more: t.fixture('symlink', 'deep'),
  })
  t.same(
    (await listImages(folder)).map((path) => relative(folder, path)),
    ['a.png', 'b2.JPG', 'b10.jpg', 'deep/c.jpg', 'more/c.jpg'],
  )
})

t.test('a folder without pictures, or no folder, is refused by name', async (t) => {
  const folder = t.testdir({ 'note.txt': '' })
  await t.rejects(listImages(folder), { code: 'camera.source_invalid', message: /no pictures.*\.jpg/ })
  await t.rejects(listImages(join(folder, 'gone')), { code: 'camera.source_invalid', message: /gone/ })
})

t.test('the ending tells a picture', (t) => {
  t.ok(isImagePath('/x/a.JPeG'))
  t.notOk(isImagePath('/x/a.mp4'))
  t.notOk(isImagePath('/x/jpg'))
  t.end()
})
