import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { packageVersion } from '../../src/cli/package-version.js'
import { messageKinds } from '../../src/protocol/catalogue.js'
import { type Examples, protocolDocuments } from '../../src/protocol/documents.js'
import { defaultRoot, parseTopic } from '../../src/protocol/topics.js'
import { projectRoot } from '../helpers/paths.js'

const folder = join(projectRoot, 'protocol')
const examples = JSON.parse(readFileSync(join(folder, 'examples.json'), 'utf8')) as Examples
const documents = protocolDocuments(packageVersion(), examples)

t.test('protocol/ is what the command prints', (t) => {
  for (const { path, text } of documents)
    t.equal(
      readFileSync(join(folder, path), 'utf8'),
      text,
      `run: yolo-edge protocol --out protocol (${path})`,
    )
  t.same(
    readdirSync(join(folder, 'schemas'))
      .map((name) => `schemas/${name}`)
      .sort(),
    documents
      .map(({ path }) => path)
      .filter((path) => path.startsWith('schemas/'))
      .sort(),
    'and no schema of an earlier form',
  )
  t.end()
})

t.test('every kind of topic has its address, and it is read as that kind', (t) => {
  for (const { kind, address } of messageKinds) {
    const topic = address
      .replace('{version}', '1~0~0')
      .replace('{sha256}', '0'.repeat(64))
      .replace('{index}', '0')
      .replace('{part}', 'versions')
      .replaceAll(/\{(\w+)\}/g, 'a-name')
    t.equal(parseTopic(defaultRoot, `${defaultRoot}/${topic}`)?.kind, kind, address)
  }
  t.end()
})

t.test('references of the AsyncAPI document lead somewhere', (t) => {
  const text = documents.find(({ path }) => path === 'asyncapi.json')!.text
  const whole = JSON.parse(text) as Record<string, unknown>
  const references = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, path]) => path!)
  t.ok(references.length > 40)
  for (const path of references) {
    const found = path
      .split('/')
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], whole)
    t.ok(found !== undefined, path)
  }
  t.end()
})
