import t from 'tap'
import { isPrintableJson, printable, printableLines, printableValue } from '../../src/base/printable.js'

/** A title, a cleared screen, a color, a line of its own, C1, a turned direction, an invisible tag, half a pair. */
const hostile =
  '\u001b]0;TITLE\u0007\u001b[2J\r\nfake line\u007f\u009b31m\u2028\u202eRTL\u2066\u200b\u{e0041}\ud800'

t.test('nothing that a terminal obeys is left', (t) => {
  const text = printable(hostile)
  t.match(text, /^[\x20-\x7e]*$/)
  t.equal(
    text,
    String.raw`\u001b]0;TITLE\u0007\u001b[2J\u000d\u000afake line\u007f\u009b31m\u2028\u202eRTL\u2066\u200b\udb40\udc41\ud800`,
  )
  t.equal(printable('Größe 3 µm, 検出 ✓ 🚗'), 'Größe 3 µm, 検出 ✓ 🚗', 'text of any script stays')
  t.end()
})

t.test('lines and JSON stay what they are', (t) => {
  t.equal(printableLines('a\nb\r\n'), 'a\nb\\u000d\n')
  const value = { text: hostile, list: [hostile], number: 1, nothing: null }
  const json = printableLines(JSON.stringify(value, null, 2))
  t.match(json, /^[\x20-\x7e\n]*$/)
  t.same(JSON.parse(json), value, 'the same value')
  t.same(printableValue(value), { ...value, text: printable(hostile), list: [printable(hostile)] })
  t.notOk(isPrintableJson(JSON.stringify(value)))
  t.notOk(isPrintableJson(JSON.stringify('\u009b')))
  t.ok(isPrintableJson(JSON.stringify({ a: 'plain "quoted"' })))
  t.end()
})
