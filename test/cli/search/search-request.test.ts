import t from 'tap'
import {
  budgetOption,
  durationOption,
  sizesOption,
  targetsOption,
} from '../../../src/cli/search/search-request.js'

t.test('options of a search are read', (t) => {
  t.equal(durationOption('30m'), 1_800_000)
  t.equal(durationOption('1.5h'), 5_400_000)
  t.equal(durationOption('90s'), 90_000)
  t.same(sizesOption('640,512'), [640, 512])
  t.same(targetsOption('arm64,tensorrt'), ['arm64', 'tensorrt'])
  t.same(targetsOption(''), [])
  t.same(
    budgetOption('ms<=20', budgetOption('map-drop<=1')).map(({ text }) => text),
    ['map-drop<=1', 'ms<=20'],
  )
  t.end()
})

t.test('wrong ones are refused with what is expected', (t) => {
  const code = 'cli.argument_invalid'
  t.throws(() => durationOption('30'), { code, message: /a duration such as 30m/ })
  t.throws(() => sizesOption('640,500'), { code, message: /multiples of 32/ })
  t.throws(() => sizesOption(''), { code })
  t.throws(() => targetsOption('arm'), { code, message: /expected some of x64-vnni/ })
  t.throws(() => budgetOption('small', []), { code: 'compress.plan_invalid' })
  t.end()
})
