/** Kinds of pictures: pixels here beside those of the reader of Ultralytics; writes test/bench/pictures.md. */

import { join } from 'node:path'
import { writePage } from '../helpers/generated-page.js'
import { projectRoot } from '../helpers/paths.js'
import { picturesTable, readPictureKinds } from '../helpers/picture-kinds.js'

const document = picturesTable(await readPictureKinds())
await writePage(join(projectRoot, 'test', 'bench', 'pictures.md'), document)
console.log(document)
