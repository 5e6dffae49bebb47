/**
 * Small labelled data sets in the layouts of many tools.
 * Invariant: a layout is the same six pictures to learn from and six to measure with, unless it says what is wrong with it.
 */

import { copyFile, cp, mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import sharp from 'sharp'

export const layoutNames = ['nut', 'bolt', 'gear', 'washer', 'spring']

const stems = {
  train: ['t0', 't1', 't2', 't3', 't4', 't5'],
  val: ['v0', 'v1', 'v2', 'v3', 'v4', 'v5'],
} as const
type Split = keyof typeof stems
const splits: readonly Split[] = ['train', 'val']

/** Picture number n has n + 1 objects. */
function labelOf(stem: string, names: readonly string[] = layoutNames): string {
  const objects = Number(stem.slice(1)) + 1
  const line = (index: number): string => {
    const classIndex = names.indexOf(layoutNames[index % layoutNames.length]!)
    return `${classIndex} ${(0.2 + 0.1 * index).toFixed(3)} 0.5 0.15 ${(0.3 + 0.05 * index).toFixed(3)}\n`
  }
  return Array.from({ length: objects }, (_, index) => line(index)).join('')
}

const yamlNames = `names:\n${layoutNames.map((name, index) => `  ${index}: ${name}\n`).join('')}`
const listNames = `names: ['${layoutNames.join("', '")}']\n`
const usual = `path: .\ntrain: images/train\nval: images/val\n`

async function put(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
}

/** A picture of 64 x 48 in the kind that the ending of `file` names. */
async function putPicture(file: string, stem: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const shade = 60 + 20 * Number(stem.slice(1))
  const background = { r: shade, g: 255 - shade, b: 128 }
  const picture = sharp({ create: { width: 64, height: 48, channels: 3, background } })
  if (file.endsWith('.bmp')) {
    const head = Buffer.from(
      '424d362400000000000036000000280000004000000030000000010018000000000000240000',
      'hex',
    )
    const rows = Buffer.alloc(64 * 48 * 3, shade)
    await writeFile(file, Buffer.concat([head, Buffer.alloc(16), rows]))
    return
  }
  await writeFile(
    file,
    await picture.toFormat(/png$/i.test(file) ? 'png' : /webp$/i.test(file) ? 'webp' : 'jpeg').toBuffer(),
  )
}

interface Place {
  readonly images: string
  readonly labels: string
  readonly ending?: string
  /** Label text; null: no label file. */
  readonly text?: string | null
}

/** Writes all pictures and labels below `folder`, each where `placeOf` says. */
async function fill(
  folder: string,
  placeOf: (split: Split, index: number, stem: string) => Place,
): Promise<void> {
  for (const split of splits) {
    for (const [index, stem] of stems[split].entries()) {
      const { images, labels, ending = '.jpg', text = labelOf(stem) } = placeOf(split, index, stem)
      await putPicture(join(folder, images, `${stem}${ending}`), stem)
      if (text !== null) await put(join(folder, labels, `${stem}.txt`), text)
    }
  }
}

const inSplits = (split: Split): Place => ({ images: `images/${split}`, labels: `labels/${split}` })

async function plain(folder: string, yaml = usual + yamlNames): Promise<void> {
  await fill(folder, inSplits)
  await put(join(folder, 'data.yaml'), yaml)
}

/** The plain layout with `text` as the labels of one picture. */
function oneLabel(text: string): (folder: string) => Promise<void> {
  return async (folder) => {
    await plain(folder)
    await put(join(folder, 'labels/val/v0.txt'), text)
  }
}

const first = labelOf('v0')

/** An outline of four corners for each box; every second line stays a box where `mixed`. */
function outlines(text: string, mixed: boolean): string {
  const lines = text.trimEnd().split('\n')
  const turned = lines.map((line, index) => {
    const [classIndex = 0, x = 0, y = 0, width = 0, height = 0] = line.split(' ').map(Number)
    const [left, top, right, bottom] = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    const points = [left, y, x, top, right, y, x, bottom].map((value) => value.toFixed(6))
    return mixed && index % 2 === 1 ? line : [classIndex, ...points].join(' ')
  })
  return `${turned.join('\r\n')}\r\n`
}

async function cut(file: string, part: number): Promise<void> {
  const bytes = await readFile(file)
  await writeFile(file, bytes.subarray(0, Math.floor(bytes.length * part)))
}

async function lists(folder: string, lineOf: (split: Split, stem: string) => string): Promise<void> {
  await fill(folder, inSplits)
  for (const split of splits)
    await put(join(folder, `${split}.txt`), stems[split].map((stem) => lineOf(split, stem)).join(''))
  await put(join(folder, 'data.yaml'), `path: .\ntrain: train.txt\nval: val.txt\n${yamlNames}`)
}

/** Name -> what writes it into an empty folder. Each has one description file, unless its name says otherwise. */
export const datasetLayouts: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  plain: (folder) => plain(folder),
  'absolute path': (folder) => plain(folder, usual.replace('path: .', `path: ${folder}`) + yamlNames),
  'absolute splits': (folder) =>
    plain(folder, `train: ${folder}/images/train\nval: ${folder}/images/val\n${yamlNames}`),
  'no path': (folder) => plain(folder, usual.replace('path: .\n', '') + yamlNames),
  'description of another name': async (folder) => {
    await plain(folder)
    await rename(join(folder, 'data.yaml'), join(folder, 'parts12.yaml'))
  },
  'description below': async (folder) => {
    await plain(folder)
    await put(join(folder, 'config/data.yaml'), usual.replace('path: .', `path: ${folder}`) + yamlNames)
    await unlink(join(folder, 'data.yaml'))
  },
  'Windows line ends and byte order mark': (folder) =>
    plain(folder, `\uFEFF${(usual + yamlNames).replaceAll('\n', '\r\n')}`),
  Roboflow: async (folder) => {
    await fill(folder, (split) => {
      const part = split === 'val' ? 'valid' : split
      return { images: `${part}/images`, labels: `${part}/labels` }
    })
    const places = 'train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n'
    await put(join(folder, 'data.yaml'), `${places}nc: 5\n${listNames}\nroboflow:\n  version: 1\n`)
  },
  // Its lists name data/images/..., whether or not the archive was unpacked into a folder data.
  'CVAT, as it comes': (folder) => lists(folder, (split, stem) => `data/images/${split}/${stem}.jpg\n`),
  'CVAT, below a folder data': async (folder) => {
    await lists(folder, (split, stem) => `data/images/${split}/${stem}.jpg\n`)
    for (const each of ['images', 'labels'])
      await cp(join(folder, each), join(folder, 'data', each), { recursive: true })
  },
  'list files': (folder) => lists(folder, (split, stem) => `./images/${split}/${stem}.jpg\n`),
  'list files of Windows': (folder) => lists(folder, (split, stem) => `.\\images\\${split}\\${stem}.jpg\r\n`),
  'list with a picture that is missing': async (folder) => {
    await lists(folder, (split, stem) => `./images/${split}/${stem}.jpg\n`)
    await unlink(join(folder, 'images/val/v5.jpg'))
  },
  FiftyOne: async (folder) => {
    await plain(folder)
    await unlink(join(folder, 'data.yaml'))
    const text = `names:\n${layoutNames.map((name, index) => `  ${index}: ${name}\n`).join('')}path: ${folder}\ntrain: ./images/train/\nvalidation: ./images/val/\n`
    await put(join(folder, 'dataset.yaml'), text)
  },
  'several folders': async (folder) => {
    await fill(folder, (split, index) => ({
      images: `images/${split}${index % 2}`,
      labels: `labels/${split}${index % 2}`,
    }))
    const places = 'path: .\ntrain: [images/train0, images/train1]\nval:\n  - images/val0\n  - images/val1\n'
    await put(join(folder, 'data.yaml'), places + yamlNames)
  },
  'nested folders': async (folder) => {
    await fill(folder, (split, index) => {
      const below = index < 2 ? '' : `/camera${index % 2}`
      return { images: `images/${split}${below}`, labels: `labels/${split}${below}` }
    })
    await put(join(folder, 'data.yaml'), usual + yamlNames)
  },
  'pictures and labels together': async (folder) => {
    await fill(folder, (split) => ({ images: split, labels: split }))
    await put(join(folder, 'data.yaml'), `path: .\ntrain: train\nval: val\n${yamlNames}`)
  },
  'a split that holds images and labels': async (folder) => {
    await fill(folder, (split) => ({ images: `${split}/images`, labels: `${split}/labels` }))
    await put(join(folder, 'data.yaml'), `path: .\ntrain: train\nval: val\n${yamlNames}`)
  },
  'kinds of pictures': async (folder) => {
    const endings = ['.jpg', '.jpeg', '.png', '.webp', '.JPG', '.bmp']
    await fill(folder, (split, index) => ({ ...inSplits(split), ending: endings[index]! }))
    await put(join(folder, 'data.yaml'), usual + yamlNames)
  },
  'spaces and umlauts': async (folder) => {
    await fill(folder, (split) => ({
      images: `Prüf linie/images/${split}`,
      labels: `Prüf linie/labels/${split}`,
    }))
    const places = 'path: .\ntrain: Prüf linie/images/train\nval: Prüf linie/images/val\n'
    await put(join(folder, 'data.yaml'), places + yamlNames)
  },
  'linked folders': async (folder) => {
    await fill(join(folder, 'disk'), (split) => ({ images: `${split}/images`, labels: `${split}/labels` }))
    for (const split of splits) await symlink(join(folder, 'disk', split), join(folder, split))
    await put(join(folder, 'data.yaml'), `path: .\ntrain: train/images\nval: val/images\n${yamlNames}`)
  },
  'linked pictures': async (folder) => {
    await plain(folder)
    for (const stem of stems.val) {
      const picture = join(folder, 'images/val', `${stem}.jpg`)
      const kept = join(folder, 'disk', `${stem}.jpg`)
      await mkdir(dirname(kept), { recursive: true })
      await rename(picture, kept)
      await symlink(kept, picture)
    }
  },
  'validation:': (folder) => plain(folder, usual.replace('val:', 'validation:') + yamlNames),
  'nc without names': (folder) => plain(folder, `${usual}nc: 5\n`),
  'names as a list': (folder) => plain(folder, usual + listNames),
  'names with a gap': (folder) => plain(folder, usual + yamlNames.replace('4: spring', '6: spring')),
  'names and another nc': (folder) => plain(folder, `${usual}nc: 4\n${yamlNames}`),
  'names in another order': async (folder) => {
    const sorted = layoutNames.toSorted()
    await fill(folder, (split, _, stem) => ({ ...inSplits(split), text: labelOf(stem, sorted) }))
    await put(join(folder, 'data.yaml'), `${usual}names: ['${sorted.join("', '")}']\n`)
  },
  'pictures without label files': async (folder) => {
    await fill(folder, (split, index, stem) => ({
      ...inSplits(split),
      text: index === 2 ? null : index === 3 ? '' : labelOf(stem),
    }))
    await put(join(folder, 'data.yaml'), usual + yamlNames)
  },
  outlines: async (folder) => {
    await fill(folder, (split, _, stem) => ({
      ...inSplits(split),
      text: `\uFEFF${outlines(labelOf(stem), false)}`,
    }))
    await put(join(folder, 'data.yaml'), usual + yamlNames)
  },
  'boxes and outlines in one file': async (folder) => {
    await fill(folder, (split, index, stem) => ({
      ...inSplits(split),
      text: index < 3 ? labelOf(stem) : outlines(labelOf(stem), true),
    }))
    await put(join(folder, 'data.yaml'), usual + yamlNames)
  },
  poses: async (folder) => {
    const posed = (text: string): string => text.replaceAll('\n', ' 0.5 0.5 2 0.4 0.4 1\n')
    await fill(folder, (split, _, stem) => ({ ...inSplits(split), text: posed(labelOf(stem)) }))
    await put(join(folder, 'data.yaml'), `${usual}kpt_shape: [2, 3]\n${yamlNames}`)
  },
  'a box past the border': oneLabel(`${first}0 0.98 0.5 0.08 0.2\n`),
  'a center past the border': oneLabel(`${first}0 1.02 0.5 0.08 0.2\n`),
  'a class past the end': oneLabel(`${first}5 0.5 0.5 0.1 0.1\n`),
  'a line with a score': oneLabel(`${first}0 0.5 0.5 0.1 0.1 0.87\n`),
  'a box without width': oneLabel(`${first}0 0.5 0.5 0 0.1\n`),
  'a negative width': oneLabel(`${first}0 0.5 0.5 -0.005 0.1\n`),
  'pixels instead of shares': oneLabel('0 320 240 50 50\n'),
  'words instead of numbers': oneLabel('nut 0.5 0.5 0.1 0.1\n'),
  'the same object in other digits': oneLabel(
    `${first}0 0.2 .50 0.150 0.30\n1 0.4 0.5 0.1 0.1\n1.0 .4 .5 1e-1 .1\n`,
  ),
  debris: async (folder) => {
    await plain(folder)
    for (const split of splits) {
      await put(join(folder, `labels/${split}/classes.txt`), layoutNames.join('\n'))
      await put(join(folder, `images/${split}/.DS_Store`), 'Bud1')
      await put(join(folder, `images/${split}/._a.jpg`), 'Mac OS X')
      await put(join(folder, `images/${split}/notes.md`), 'notes')
    }
  },
  'a broken picture': async (folder) => {
    await plain(folder)
    await copyFile(join(folder, 'images/val/v0.jpg'), join(folder, 'images/val/broken.jpg'))
    await cut(join(folder, 'images/val/broken.jpg'), 0.2)
  },
  'a picture cut off': async (folder) => {
    await plain(folder)
    await cut(join(folder, 'images/val/v0.jpg'), 0.9)
  },
  'an empty picture file': async (folder) => {
    await plain(folder)
    await put(join(folder, 'images/val/v0.jpg'), '')
  },
  'Label Studio, without a description': async (folder) => {
    // Its classes.txt is sorted by name, whatever order a model has.
    const sorted = layoutNames.toSorted()
    await fill(folder, (_, __, stem) => ({ images: 'images', labels: 'labels', text: labelOf(stem, sorted) }))
    for (const stem of stems.train) await rm(join(folder, 'images', `${stem}.jpg`))
    await put(join(folder, 'classes.txt'), `${sorted.join('\n')}\n`)
    await put(join(folder, 'notes.json'), '{}')
  },
  'Darknet, without a description': async (folder) => {
    await fill(folder, () => ({ images: 'obj_val_data', labels: 'obj_val_data' }))
    for (const stem of stems.train) await rm(join(folder, 'obj_val_data', `${stem}.jpg`))
    await put(join(folder, 'obj.names'), layoutNames.join('\r\n'))
  },
}

/** Writes a layout into the new folder `folder`, whose path must be absolute. */
export async function writeLayout(name: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await datasetLayouts[name]!(folder)
}

/** Folder name of a layout: `list files` -> `list-files`. */
export function layoutFolder(name: string): string {
  return basename(name.replaceAll(/[^A-Za-z0-9]+/g, '-').toLowerCase())
}
