import t from 'tap'
import { escaped } from '../../src/base/markup.js'

t.test('the five marks that would end a text or an attribute', (t) => {
  t.equal(
    escaped(`<b title="a" lang='b'>R&D</b>`),
    '&lt;b title=&quot;a&quot; lang=&#39;b&#39;&gt;R&amp;D&lt;/b&gt;',
  )
  t.equal(escaped('plain, 50 %, ä'), 'plain, 50 %, ä')
  t.end()
})
