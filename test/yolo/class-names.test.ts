import t from 'tap'
import { haveSameClasses, numberedClassNames, parseClassNames } from '../../src/yolo/class-names.js'

t.test('reads what Python writes', (t) => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [`{0: 'person', 1: 'bicycle'}`, ['person', 'bicycle']],
    [`{0: "it's", 1: 'say "hi"', 2: 'both \\' and "'}`, [`it's`, 'say "hi"', `both ' and "`]],
    [`{1: 'b', 0: 'a'}`, ['a', 'b']],
    [`{0: 'a',}`, ['a']],
    [`{ 0 : 'a{b}: c, d' }`, ['a{b}: c, d']],
    [`{0: '\\\\', 1: '\\x41\\u00e9\\U0001f600', 2: 'tab\\t'}`, ['\\', 'Aé😀', 'tab\t']],
    [`{0: 'Käse', 1: '人'}`, ['Käse', '人']],
    [`['a', "b"]`, ['a', 'b']],
    [`{"0": "a", "1": "b"}`, ['a', 'b']],
    [`["a\\/b"]`, ['a/b']],
  ]
  for (const [text, names] of cases) t.same(parseClassNames(text), names, text)
  t.end()
})

t.test('classes are the same by name and index', (t) => {
  t.ok(haveSameClasses(['a', 'b'], ['a', 'b']))
  for (const other of [['b', 'a'], ['a'], ['a', 'b', 'c'], ['a', 'B']])
    t.notOk(haveSameClasses(['a', 'b'], other), other.join())
  t.notOk(haveSameClasses(['a\nb', 'c'], ['a', 'b\nc']))
  t.end()
})

t.test('an empty name becomes a numbered one, equal names stay as they are', (t) => {
  t.same(parseClassNames(`{0: 'cat', 1: '', 2: '  ', 3: 'cat'}`), ['cat', 'class_1', 'class_2', 'cat'])
  t.same(parseClassNames(`['']`), ['class_0'])
  t.end()
})

t.test('refuses anything else and says where', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /expected "\{" at character 1, found the end/],
    ['{}', /dict of class names is empty/],
    ['[]', /list of class names is empty/],
    [`{0: 'a', 2: 'b'}`, /class 1 is missing/],
    [`{0: 'a', 0: 'b'}`, /class 0 is named twice/],
    [`{0: 'a' 1: 'b'}`, /expected "\}" at character 9, found "1: 'b'}"/],
    [`{0: 'a'} x`, /expected the end at character 10/],
    [`{0: a}`, /expected a name in quotes at character 5/],
    [`{0: 'a`, /expected a closing ' at character 7, found the end/],
    [`{'x': 'a'}`, /expected a class index/],
    [`{-1: 'a'}`, /expected a class index/],
    [`{0: None}`, /expected a name in quotes/],
    [`{0: '\\q'}`, /known escape/],
    [`{0: '\\x4'}`, /2 hexadecimal digits/],
    [`{0: '\\Uffffffff'}`, /8 hexadecimal digits/],
    [`[${'"a",'.repeat(10_001)}]`, /more than 10000 classes/],
  ]
  for (const [text, message] of cases) {
    t.throws(() => parseClassNames(text), { code: 'model.labels_invalid', message }, text.slice(0, 40))
  }
  t.end()
})

t.test('numbers the classes of a model that names none', (t) => {
  t.same(numberedClassNames(2), ['class_0', 'class_1'])
  t.end()
})
