import t from 'tap'
import { parseDataYaml } from '../../src/evaluation/data-yaml.js'

t.test('reads folders and class names, as a map or a list', (t) => {
  const text =
    'path: ../coco\ntrain: images/train\nval: [images/val, more]\nnames:\n  0: person\n  1: bicycle\n'
  t.same(parseDataYaml(text, 'data.yaml'), {
    path: '../coco',
    train: ['images/train'],
    val: ['images/val', 'more'],
    classNames: ['person', 'bicycle'],
  })
  t.same(parseDataYaml('val:\nnc: 3\nnames: [a, b, 7]', 'data.yaml'), {
    path: '',
    train: [],
    val: [],
    classNames: ['a', 'b', '7'],
  })
  t.end()
})

t.test('refuses what names no classes', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /data\.yaml: /],
    ['val: x', /names: expected/],
    ['names: []', /names is empty/],
    ['names: {0: a, 2: b}', /names has 2 classes, but class 1 is missing/],
    ['names: [[a]]', /names/],
    ['names: [a\n- b', /no YAML/],
  ]
  for (const [text, message] of cases) {
    t.throws(() => parseDataYaml(text, 'data.yaml'), { code: 'dataset.label_invalid', message }, text)
  }
  t.end()
})
