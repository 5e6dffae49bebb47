import t from 'tap'
import * as v from 'valibot'
import { issueText } from '../../src/evaluation/validation-issue.js'

const schema = v.object({ images: v.array(v.object({ width: v.pipe(v.number(), v.minValue(1)) })) })

function textOf(value: unknown): string {
  const result = v.safeParse(schema, value)
  return result.success ? 'fits' : issueText(result.issues[0])
}

t.test('names the place, what was expected and what is there', (t) => {
  t.equal(textOf({ images: [{ width: 5 }, { width: 0 }] }), 'images[1].width: expected >=1, found 0')
  t.equal(textOf({ images: 'none' }), 'images: expected Array, found "none"')
  t.equal(textOf(3), 'the file: expected Object, found 3')
  t.equal(textOf({ images: [] }), 'fits')
  t.end()
})
