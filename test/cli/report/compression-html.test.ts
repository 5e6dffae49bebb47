import t from 'tap'
import { compressionHtml } from '../../../src/cli/report/compression-html.js'

const source = { file: 'a.onnx', size_bytes: 2e6, macs: 1e9, parameters: 1000 }

function htmlOf(ranges: Parameters<typeof compressionHtml>[0]['ranges']): string {
  const report = { source, models: [source], seconds: 1 } as unknown as Parameters<
    typeof compressionHtml
  >[0]['report']
  return compressionHtml({ report, verdict: undefined, layers: [], ranges, command: 'compress a.onnx' })
}

t.test('says by target what was hardly exercised, what saturated and which rows are near zero', (t) => {
  const html = htmlOf([
    {
      target: 'x64-vnni',
      ranges: {
        hardly_exercised: ['a', 'b'],
        saturated: [
          { value: 'little', share: 0.0001 },
          { value: '<much>', share: 0.25 },
        ],
        raised_rows: [
          { node: 'c', rows: 4 },
          { node: 'd', rows: 3 },
        ],
      },
    },
  ])
  t.match(
    html,
    '<td><code>x64-vnni</code></td><td class="number">2</td><td class="number">2</td><td class="number">7</td>',
  )
  t.ok(html.indexOf('&lt;much&gt;') < html.indexOf('little'), 'the worst first, escaped')
  t.match(html, '25 %')
  t.end()
})

t.test('a float model has no such section', (t) => {
  t.notMatch(htmlOf([]), 'Ranges of the integers')
  t.end()
})
