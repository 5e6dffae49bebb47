import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { openDataset } from '../../../src/cli/dataset/open-dataset.js'

const names = ['nut', 'bolt']
const quiet = { note: () => undefined }

/** A folder with pictures a.png (100 x 50) and b.png, and `files`. */
async function folderWith(t: Test, images: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = t.testdir()
  mkdirSync(join(folder, images), { recursive: true })
  for (const name of ['a.png', 'b.png']) {
    const picture = sharp({ create: { width: 100, height: 50, channels: 3, background: 'grey' } })
    await picture.toFile(join(folder, images, name))
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const coco = (file: string): string =>
  JSON.stringify({
    images: [{ id: 1, file_name: file, width: 100, height: 50 }],
    categories: [
      { id: 7, name: 'bolt' },
      { id: 9, name: 'gear' },
    ],
    annotations: [
      { image_id: 1, category_id: 7, bbox: [10, 10, 20, 20], iscrowd: 0 },
      { image_id: 1, category_id: 9, bbox: [0, 0, 5, 5] },
    ],
  })

t.test('YOLO labels beside the pictures, or in a folder of their own', async (t) => {
  const line = '1 0.5 0.5 0.2 0.4\n'
  for (const [images, label] of [
    ['images', 'labels/a.txt'],
    ['.', 'a.txt'],
  ] as const) {
    const dataset = await openDataset(await folderWith(t, images, { [label]: line }), names, quiet)
    t.same(
      dataset.images.map(({ name, groundTruths }) => [name, groundTruths.length]),
      [
        ['a.png', 1],
        ['b.png', 0],
      ],
    )
    t.match(dataset.images[0]!.groundTruths[0], { classIndex: 1, x1: 40, y1: 15, x2: 60, y2: 35 })
  }
})

t.test('COCO wins where both are there, and classes that the model does not know are told', async (t) => {
  const files = { 'instances.json': coco('a.png'), 'labels/a.txt': '0 0.5 0.5 1 1\n' }
  const dataset = await openDataset(await folderWith(t, 'images', files), names, quiet)
  t.equal(dataset.images.length, 1)
  t.match(dataset.images[0]!.groundTruths, [{ classIndex: 1, x1: 10, crowd: false }])
  t.same(dataset.unknownCategories, ['gear'])
})

t.test('an Ultralytics description leads to its val folder', async (t) => {
  const files = {
    'data.yaml': 'path: .\nval: images/val\nnames: [nut, bolt]\n',
    'labels/val/a.txt': '0 0.5 0.5 0.5 0.5\n',
  }
  const folder = await folderWith(t, 'images/val', files)
  const dataset = await openDataset(join(folder, 'data.yaml'), names, quiet)
  t.same((await openDataset(folder, names, quiet)).images, dataset.images, 'the folder that has it will do')
  t.same(
    dataset.images.map(({ groundTruths }) => groundTruths.length),
    [1, 0],
  )
  await t.rejects(openDataset(join(folder, 'data.yaml'), ['one'], quiet), { code: 'dataset.folder_unusable' })
})

const refusals: Readonly<Record<string, readonly [Readonly<Record<string, string>>, string, RegExp]>> = {
  'no label at all': [{}, 'dataset.folder_unusable', /none of its 2 pictures/],
  'no usable label': [
    { 'labels/a.txt': '0 .5 .5 1 1\n2 .5 .5 1 1\n', 'labels/b.txt': '0 0.5\n' },
    'dataset.folder_unusable',
    /none of its 2 pictures can be used, .*a\.txt, line 2/,
  ],
  'a picture that is missing': [{ 'instances.json': coco('c.png') }, 'dataset.folder_unusable', /c\.png/],
  'no JSON': [{ 'instances.json': '{' }, 'dataset.label_invalid', /instances\.json/],
}
for (const [name, [files, code, message]] of Object.entries(refusals)) {
  t.test(`refused: ${name}`, async (t) => {
    await t.rejects(openDataset(await folderWith(t, 'images', files), names, quiet), { code, message })
  })
}

t.test('refused: nothing there, an empty folder, another kind of file', async (t) => {
  const folder = t.testdir({ empty: {}, 'labels.csv': '' })
  for (const name of ['absent', 'empty', 'labels.csv'])
    await t.rejects(openDataset(join(folder, name), names, quiet), { code: 'dataset.folder_unusable' }, name)
})

t.test(
  'names decide what a label is, and a class that the model lacks is refused with both lists',
  async (t) => {
    const folder = await folderWith(t, 'images/val', {
      'data.yaml': 'val: images/val\nnames: [bolt, nut]\n',
      'labels/val/a.txt': '0 0.5 0.5 0.5 0.5\n',
    })
    const { images } = await openDataset(folder, names, quiet)
    t.match(images[0]!.groundTruths, [{ classIndex: 1 }], 'bolt is class 1 of the model')
    await t.rejects(openDataset(folder, ['nut', 'gear'], quiet), {
      code: 'dataset.folder_unusable',
      message:
        /has no 1 class \(bolt\); the data set has 2 classes \(bolt, nut\), the model 2 classes \(nut, gear\)/,
    })
  },
)

t.test('a class list beside the folders decides as well', async (t) => {
  const files = { 'classes.txt': 'bolt\r\nnut\r\n', 'labels/a.txt': '0 0.5 0.5 0.5 0.5\n' }
  const { images } = await openDataset(await folderWith(t, 'images', files), names, quiet)
  t.match(images[0]!.groundTruths, [{ classIndex: 1 }])
})

t.test('what cannot be used is told before it is used; strict reading refuses it', async (t) => {
  const folder = await folderWith(t, 'images', {
    'labels/a.txt': '0 .5 .5 1 1\n',
    'labels/b.txt': '7 .5 .5 1 1\n',
  })
  const notes: string[] = []
  const note = (text: string): void => void notes.push(text)
  const { images, leftOut } = await openDataset(folder, names, { note })
  t.equal(images.length, 1)
  t.match(leftOut, [{ path: /b\.png$/, problem: /b\.txt, line 1: class "7"/ }])
  t.match(notes, [/1 picture, 1 object of 1 class; 1 left out$/, /^left out: .*b\.txt, line 1/])
  await t.rejects(openDataset(folder, names, { note, strict: true }), {
    code: 'dataset.folder_unusable',
    message: /not each of its 2 pictures can be used, 1 cannot, the first: .*b\.txt/,
    hint: 'without --strict they are left out',
  })
})
