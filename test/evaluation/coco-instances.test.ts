import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseCocoInstances } from '../../src/evaluation/coco-instances.js'
import { shared, skipWithout } from '../helpers/paths.js'

const dataset = {
  info: { year: 2017 },
  images: [
    { id: 7, file_name: 'b.jpg', width: 640, height: 480, license: 1 },
    { id: 3, file_name: 'a.jpg', width: 100, height: 50 },
  ],
  categories: [
    { id: 18, name: 'dog', supercategory: 'animal' },
    { id: 1, name: 'person' },
    { id: 90, name: 'toothbrush' },
  ],
  annotations: [
    { id: 1, image_id: 3, category_id: 18, bbox: [10, 20, 30, 5], area: 99.5, iscrowd: 0, segmentation: [] },
    { id: 2, image_id: 7, category_id: 1, bbox: [0, 0, 640, 480], iscrowd: 1 },
    { id: 3, image_id: 7, category_id: 90, bbox: [1, 1, 2, 2], area: 4 },
  ],
}

function parse(changes: object = {}, classNames: readonly string[] = ['person', 'cat', 'dog']) {
  return parseCocoInstances(JSON.stringify({ ...dataset, ...changes }), 'val.json', classNames)
}

t.test('gives pictures with their objects under the class indices of the model', (t) => {
  t.same(parse(), {
    images: [
      {
        name: 'b.jpg',
        width: 640,
        height: 480,
        groundTruths: [{ classIndex: 0, x1: 0, y1: 0, x2: 640, y2: 480, area: 307_200, crowd: true }],
      },
      {
        name: 'a.jpg',
        width: 100,
        height: 50,
        groundTruths: [{ classIndex: 2, x1: 10, y1: 20, x2: 40, y2: 25, area: 99.5, crowd: false }],
      },
    ],
    unknownCategories: ['toothbrush'],
    leftOut: [],
    remarks: ['classes are not in the order of the model: matched by name'],
  })
  t.end()
})

t.test('a model with numbered classes takes the categories by rising id', (t) => {
  const { images, unknownCategories } = parse({}, ['class_0', 'class_1', 'class_2'])
  t.same(
    images.flatMap(({ groundTruths }) => groundTruths.map(({ classIndex }) => classIndex)),
    [0, 2, 1],
  )
  t.same(unknownCategories, [])
  t.end()
})

t.test('refuses what does not fit and says where', (t) => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ images: undefined }, /val\.json: images: expected/],
    [
      { images: [{ id: 1, file_name: 'a', width: 0, height: 5 }] },
      /images\[0\]\.width: expected >=1, found 0/,
    ],
    [{ annotations: [{ category_id: 1 }] }, /annotations\[0\]\.image_id/],
    [{ images: [dataset.images[0], dataset.images[0]] }, /two images have the same id/],
    [{ categories: [...dataset.categories, { id: 1, name: 'x' }] }, /two categories have the id 1/],
  ]
  for (const [changes, message] of cases) {
    t.throws(() => parse(changes), { code: 'dataset.label_invalid', message })
  }
  t.throws(() => parseCocoInstances('{', 'val.json', ['a']), { message: /val\.json: no JSON/ })
  t.throws(() => parse({}, ['fish', 'fork']), {
    message:
      /none of its 3 classes \(person, dog, toothbrush\) is one of the model's 2 classes \(fish, fork\)/,
  })
  t.end()
})

t.test('an annotation that does not fit leaves its picture out, by its place', (t) => {
  const [first] = dataset.annotations
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ bbox: [1, 2, 3] }, /val\.json: annotations\[0\]\.bbox/],
    [{ bbox: [1, 2, -3, 4] }, /annotations\[0\]\.bbox\[2\]: expected >=0, found -3/],
    [{ iscrowd: 2 }, /annotations\[0\]\.iscrowd/],
    [{ category_id: 5 }, /annotations\[0\] is of category 5, which is not listed/],
  ]
  for (const [change, problem] of cases) {
    const { images, leftOut } = parse({ annotations: [{ ...first, ...change }] })
    t.same(
      images.map(({ name }) => name),
      ['b.jpg'],
    )
    t.match(leftOut, [{ name: 'a.jpg', problem }])
  }
  const { remarks } = parse({ annotations: [{ ...first, image_id: 9 }] })
  t.match(remarks[1], /1 annotations of val\.json are of pictures that it does not list/)
  t.end()
})

t.test('reads the reference annotations', { skip: skipWithout('coco', 'val', 'instances.json') }, (t) => {
  const text = readFileSync(shared('coco', 'val', 'instances.json'), 'utf8')
  const { categories } = JSON.parse(text) as { categories: { id: number; name: string }[] }
  const names = categories.sort((a, b) => a.id - b.id).map(({ name }) => name)
  const { images, unknownCategories } = parseCocoInstances(text, 'instances.json', names)
  const truths = images.flatMap(({ groundTruths }) => groundTruths)
  t.equal(images.length, 250)
  t.equal(truths.length, 2222)
  t.equal(truths.filter(({ crowd }) => crowd).length, 19)
  t.same(unknownCategories, [])
  t.end()
})
