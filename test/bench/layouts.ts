/**
 * Data sets in the layouts of many tools: pictures and objects read here and by Ultralytics, and why where they differ.
 *
 *     npm run bench -- layouts                  prints the table and writes it to test/bench/layouts.md
 *     npm run bench -- layouts --write FOLDER   writes the data sets, for test/fixtures/datasets/read_layouts.py
 */

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { datasetLayouts, layoutFolder, writeLayout } from '../helpers/dataset-layouts.js'
import { layoutsTable, readLayouts } from '../helpers/read-layouts.js'
import { projectRoot } from '../helpers/paths.js'

const { values } = parseArgs({ options: { write: { type: 'string' } } })
if (values.write === undefined) {
  const document = layoutsTable(await readLayouts())
  writeFileSync(join(projectRoot, 'test', 'bench', 'layouts.md'), document)
  console.log(document)
} else {
  for (const name of Object.keys(datasetLayouts))
    await writeLayout(name, join(resolve(values.write), layoutFolder(name)))
}
