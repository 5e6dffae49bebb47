/** A Node.js without other languages starts, tells time in every zone, loads add-ons, and answers in English where it has no words. */

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ElfProgram } from '../../../deploy/package/cut-elf.js'
import { slimLanguages, slimNode } from '../../../deploy/package/slim-node.js'
import { projectRoot } from '../../helpers/paths.js'

/** Everything that reads the data of languages, for languages that are gone, and text of encodings that the product reads. */
const questions = `
  const languages = ['de', 'zh-Hans-CN', 'ar-EG', 'ja', 'th', 'hi', 'pt-BR', 'en-GB', 'en']
  const when = new Date(Date.UTC(2024, 6, 1, 12))
  const answers = languages.map((language) => [
    new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'long' }).format(when),
    new Intl.NumberFormat(language, { style: 'currency', currency: 'EUR' }).format(1234.5),
    new Intl.NumberFormat(language, { style: 'unit', unit: 'kilometer-per-hour' }).format(1234.5),
    new Intl.PluralRules(language).select(2),
    new Intl.RelativeTimeFormat(language).format(-3, 'day'),
    new Intl.ListFormat(language).format(['a', 'b']),
    new Intl.DisplayNames(language, { type: 'region' }).of('DE'),
    ['b', 'a', 'a10', 'a9'].sort(new Intl.Collator(language, { numeric: true }).compare).join(),
    [...new Intl.Segmenter(language, { granularity: 'word' }).segment('two words')].length,
    'I'.toLocaleLowerCase(language).length,
  ])
  const zones = Intl.supportedValuesOf('timeZone').map((timeZone) => when.toLocaleTimeString('en', { timeZone }))
  const text = [
    new TextDecoder('latin1').decode(Uint8Array.of(0xe9, 0x80)),
    new TextDecoder('utf-16le').decode(Uint8Array.of(0x61, 0)),
    'A\\u030a'.normalize('NFC'),
    /\\p{Script=Greek}/u.test('\\u03b1'),
    new URL('http://b\\u00fccher.example').hostname,
  ]
  process.stdout.write(JSON.stringify({ answers, zones, text, english: answers.at(-1) }))
`

t.test(
  'a smaller Node.js answers in English as the whole one does',
  { skip: process.platform !== 'linux' },
  (t) => {
    const folder = t.testdir()
    const whole = readFileSync(process.execPath)
    const small = slimNode(whole)
    const path = join(folder, 'node')
    writeFileSync(path, small, { mode: 0o755 })
    t.ok(small.length < whole.length - 20_000_000, `${whole.length} -> ${small.length}`)
    const ask = (program: string): Record<string, unknown> =>
      JSON.parse(execFileSync(program, ['-e', questions], { encoding: 'utf8' })) as Record<string, unknown>
    const before = ask(process.execPath)
    const after = ask(path)
    t.same(after['english'], before['english'])
    t.same(after['zones'], before['zones'])
    t.same(after['text'], before['text'])
    t.equal((after['answers'] as unknown[]).length, (before['answers'] as unknown[]).length)
    const load = `for (const name of ['koffi', 'sharp', 'onnxruntime-node'])
    require(require.resolve(name, { paths: [${JSON.stringify(projectRoot)}] }))
    process.stdout.write('loaded')`
    t.equal(execFileSync(path, ['-e', load], { encoding: 'utf8' }), 'loaded', 'add-ons find their functions')
    t.same(slimNode(whole), small, 'the same bytes twice')
    t.end()
  },
)

t.test('what holds no data of languages stays as it is', (t) => {
  const bytes = Buffer.from('no CmnD package')
  t.equal(slimLanguages(bytes), undefined)
  t.equal(bytes.toString(), 'no CmnD package')
  t.throws(() => new ElfProgram(bytes), { code: 'model.parse_failed' })
  t.end()
})
