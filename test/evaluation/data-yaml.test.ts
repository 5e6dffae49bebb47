import t from 'tap'
import { isDataYaml, parseDataYaml } from '../../src/evaluation/data-yaml.js'

t.test('reads folders and class names, as a map or a list', (t) => {
  const text =
    'path: ../coco\ntrain: images/train\nval: [images/val, more]\nnames:\n  0: person\n  1: bicycle\n'
  t.same(parseDataYaml(text, 'data.yaml'), {
    path: '../coco',
    train: ['images/train'],
    val: ['images/val', 'more'],
    classNames: ['person', 'bicycle'],
    keypointFields: 0,
  })
  t.same(parseDataYaml('val:\nnc: 3\nnames: [a, b, 7]', 'data.yaml'), {
    path: '',
    train: [],
    val: [],
    classNames: ['a', 'b', '7'],
    keypointFields: 0,
  })
  t.end()
})

t.test('reads the keys that tools write instead', (t) => {
  const text =
    '\uFEFFtrain: ../train/images\r\nvalidation: ../valid/images\r\nnc: "2"\r\nkpt_shape: [17, 3]\r\n'
  t.same(parseDataYaml(text, 'data.yaml'), {
    path: '',
    train: ['../train/images'],
    val: ['../valid/images'],
    classNames: ['class_0', 'class_1'],
    keypointFields: 51,
  })
  t.end()
})

t.test('other YAML files are told from a data.yaml', (t) => {
  t.ok(isDataYaml('val: images\nnc: 1'))
  for (const other of ['', 'a: 1', 'names: [a]', 'epochs: 3\nval: true', '{'])
    t.notOk(isDataYaml(other), other)
  t.end()
})

t.test('refuses what names no classes', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /data\.yaml: /],
    ['val: x', /neither names nor nc/],
    ['nc: 2\nnames: [a, b, c]', /nc is 2, but names has 3 classes/],
    ['nc: two', /nc: expected/],
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
