/**
 * Class names of labelled folders without a data.yaml: Label Studio and labelImg write `classes.txt`, Darknet's tools
 * `obj.names`, Roboflow's Darknet export `_darknet.labels`, one name a line.
 * Invariant: the order of the lines is that of the class numbers.
 */

import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

const fileNames = ['classes.txt', 'obj.names', '_darknet.labels']

/** The file of class names that belongs to the labelled folder `folder`, or undefined where there is none. */
export async function readClassList(
  folder: string,
): Promise<{ readonly file: string; readonly names: readonly string[] } | undefined> {
  const own = resolve(folder)
  const folders = [own, join(own, 'labels'), ...(basename(own) === 'images' ? [dirname(own)] : [])]
  for (const file of folders.flatMap((each) => fileNames.map((name) => join(each, name)))) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    const names = text
      ?.split(/\r\n|\r|\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '')
    if (names !== undefined && names.length > 0) return { file, names }
  }
  return undefined
}
