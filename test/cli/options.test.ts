import t from 'tap'
import {
  choiceOption,
  integerOption,
  numberOption,
  settingOption,
  sizeOption,
} from '../../src/cli/options.js'

t.test('numbers within bounds are read, others are refused with the option and the bounds', (t) => {
  t.equal(numberOption('conf', 0, 1)('0.25'), 0.25)
  t.equal(integerOption('runs', 1, 10)('10'), 10)
  for (const text of ['', ' ', 'x', '-0.1', '1.1', 'NaN']) {
    t.throws(() => numberOption('conf', 0, 1)(text), {
      code: 'cli.argument_invalid',
      message: /--conf .*0\.\.1/,
    })
  }
  for (const text of ['1.5', '0', '11', '', '1e99']) {
    t.throws(() => integerOption('runs', 1, 10)(text), { message: /--runs .*whole number 1\.\.10/ })
  }
  t.end()
})

t.test('a choice is one of its words', (t) => {
  t.equal(choiceOption('format', ['a', 'b'])('b'), 'b')
  t.throws(() => choiceOption('format', ['a', 'b'])('c'), { message: /--format c: expected one of a, b/ })
  t.end()
})

t.test('settings collect; the later of two wins; a value may hold =', (t) => {
  const first = settingOption('broker.url=mqtt://a?x=1', new Map())
  const second = settingOption('broker.url=mqtt://b', first)
  t.same([...first], [['broker.url', 'mqtt://a?x=1']])
  t.same([...second], [['broker.url', 'mqtt://b']])
  for (const text of ['broker.url', '=x', ''])
    t.throws(() => settingOption(text, new Map()), { message: /section\.key=value/ })
  t.end()
})

t.test('an input size is one number or width and height, in multiples of 32', (t) => {
  t.same(sizeOption('640'), { width: 640, height: 640 })
  t.same(sizeOption('640x480'), { width: 640, height: 480 })
  for (const text of ['', '0', '100', '96x', '96x64x3', '-32', '64,96', 'x64', '640X480']) {
    t.throws(
      () => sizeOption(text),
      { code: 'cli.argument_invalid', message: /such as 640 or 640x480/ },
      text,
    )
  }
  t.end()
})
