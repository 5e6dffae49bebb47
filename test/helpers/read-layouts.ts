/** Layouts of data sets, read here and by Ultralytics. Invariant: the column of Ultralytics comes from the fixture alone. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/base/errors.js'
import { openDataset } from '../../src/cli/dataset/open-dataset.js'
import { datasetLayouts, layoutFolder, layoutNames, writeLayout } from './dataset-layouts.js'
import { fixture } from './paths.js'

/** Pictures and objects, or why there are none. */
export type ReadCount = readonly [pictures: number, objects: number] | { readonly refused: string }

export interface LayoutReading {
  readonly name: string
  readonly ours: ReadCount
  readonly ultralytics: ReadCount
  /** What a person was told, the folder of the data set left away. */
  readonly notes: readonly string[]
}

/** Where what is read differs from Ultralytics on purpose. */
export const explainedLayouts: Readonly<Record<string, string>> = {
  'CVAT, as it comes': 'Ultralytics looks for `data/` where the archive has none',
  'list files of Windows': 'Ultralytics takes a backslash for a letter',
  'boxes and outlines in one file': 'Ultralytics leaves such pictures out; each line tells what it is',
  'Label Studio, without a description': 'Ultralytics needs a data.yaml; classes.txt names the classes',
  'Darknet, without a description': 'Ultralytics needs a data.yaml; obj.names names the classes',
}

/** Writes every layout into a temporary folder and reads it, for a model with the layouts' classes. */
export async function readLayouts(): Promise<readonly LayoutReading[]> {
  const reference = JSON.parse(readFileSync(fixture('datasets', 'layouts.json'), 'utf8')) as Readonly<
    Record<string, ReadCount>
  >
  const root = mkdtempSync(join(tmpdir(), 'layouts-'))
  try {
    const readings: LayoutReading[] = []
    for (const name of Object.keys(datasetLayouts)) {
      const folder = join(root, layoutFolder(name))
      await writeLayout(name, folder)
      const notes: string[] = []
      const shown = (text: string): string => text.replaceAll(folder, '').replaceAll(' /', ' ')
      const ours = await readOne(folder, (text) => notes.push(shown(text)))
      const short = 'refused' in ours ? { refused: shown(ours.refused) } : ours
      readings.push({ name, ours: short, ultralytics: reference[layoutFolder(name)]!, notes })
    }
    return readings
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function readOne(folder: string, note: (text: string) => void): Promise<ReadCount> {
  try {
    const { images } = await openDataset(folder, layoutNames, { note })
    return [images.length, images.reduce((sum, { groundTruths }) => sum + groundTruths.length, 0)]
  } catch (thrown) {
    return { refused: messageOf(thrown) }
  }
}

/** Whether both read the same, or both refuse. */
export function isEqualReading({ ours, ultralytics }: LayoutReading): boolean {
  if ('refused' in ours || 'refused' in ultralytics) return 'refused' in ours && 'refused' in ultralytics
  return ours[0] === ultralytics[0] && ours[1] === ultralytics[1]
}

/** The document: one row a layout. */
export function layoutsTable(readings: readonly LayoutReading[]): string {
  const cell = (count: ReadCount): string => ('refused' in count ? 'refused' : `${count[0]}, ${count[1]}`)
  const rows = readings.map((reading) => {
    const { name, ours, ultralytics, notes } = reading
    const told = 'refused' in ours ? ours.refused : notes.slice(1).join('; ')
    const why = isEqualReading(reading) ? '' : (explainedLayouts[name] ?? 'not explained')
    return `| ${name} | ${cell(ours)} | ${cell(ultralytics)} | ${why} | ${told.replaceAll('|', '\\|')} |`
  })
  const head = [
    '# Layouts of data sets',
    '',
    'Written by `npm run bench -- layouts`. Pictures and objects of the val split; each layout has 6 and 21 unless it is broken',
    'as its name says. The column of Ultralytics 8.4.190 is from [a fixture](../fixtures/datasets/README.md).',
    '',
    '| layout | read here | Ultralytics | where they differ | what a person is told beside the counts |',
    '| --- | --- | --- | --- | --- |',
  ]
  return `${[...head, ...rows].join('\n')}\n`
}
