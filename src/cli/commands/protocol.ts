/** `yolo-edge protocol`: writes the documents of the protocol: a page, an AsyncAPI 3 document, JSON Schemas. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { type Examples, protocolDocuments } from '../../protocol/documents.js'
import { processOutput } from '../output.js'
import { packageVersion } from '../package-version.js'

interface Options {
  readonly out: string
  readonly json?: boolean
}

export function protocolCommand(): Command {
  return new Command('protocol')
    .description('Write what goes over MQTT as documents: a page, an AsyncAPI 3 document, JSON Schemas.')
    .requiredOption('-o, --out <dir>', 'folder to write them to')
    .option('--json', 'print JSON')
    .action(writeDocuments)
}

async function writeDocuments({ out, json }: Options): Promise<void> {
  const output = processOutput(json ?? false)
  const documents = protocolDocuments(packageVersion(), await recordedExamples())
  for (const { path, text } of documents) await writeFileAtomic(join(out, path), text)
  output.result({ folder: out, files: documents.map(({ path }) => path) })
  output.line(`${documents.length} files in ${out}`)
}

const examplesFile = new URL('../../../../protocol/examples.json', import.meta.url)

/** The recorded messages that come with the program. */
async function recordedExamples(): Promise<Examples> {
  return JSON.parse(await readFile(examplesFile, 'utf8')) as Examples
}
