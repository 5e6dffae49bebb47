/** Decoded and final boxes with numbers that are easy to follow: one box at a time, in every layout that files have. */

import t from 'tap'
import { decodeDetections } from '../../src/yolo/decode.js'
import { type Detection, predictionOptions } from '../../src/yolo/detection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import type { ModelDescription } from '../../src/yolo/model-description.js'
import { headsModel } from '../helpers/heads.js'

const size = { width: 64, height: 32 }
const picture = letterbox(size, size)
const description: ModelDescription = { ...headsModel(64, 3), inputWidth: 64, inputHeight: 32 }
const code = 'inference.output_invalid'

type Decoded = Extract<ModelDescription['output'], { readonly kind: 'decoded' }>

const decodedAs = (output: Partial<Decoded>): ModelDescription => ({
  ...description,
  output: { kind: 'decoded', name: 'out', ...output },
})
const final: ModelDescription = { ...description, output: { kind: 'boxes', name: 'final' } }

/** Rows of `table`, one number after the other. */
const rows = (...table: readonly (readonly number[])[]): Float32Array => Float32Array.from(table.flat())

function decode(
  model: ModelDescription,
  outputs: Readonly<Record<string, Float32Array>>,
): readonly Detection[] {
  return decodeDetections(new Map(Object.entries(outputs)), model, picture, {
    ...predictionOptions,
    conf: 0.25,
    multiLabel: false,
  })
}

/** Two anchors apart, the second of class 2 and the better one. */
const [first, second] = [
  { x1: 10, y1: 4, x2: 20, y2: 12, classIndex: 0, score: 0.5 },
  { x1: 40, y1: 16, x2: 60, y2: 24, classIndex: 2, score: 0.75 },
] as const
const centres = [
  [15, 50],
  [8, 20],
  [10, 20],
  [8, 8],
] as const
const scores = [
  [0.5, 0],
  [0, 0.25],
  [0, 0.75],
] as const
const columns = (table: readonly (readonly number[])[]): readonly number[][] =>
  table[0]!.map((_, anchor) => table.map((row) => row[anchor]!))

t.test('decoded boxes: by numbers or by anchors, with scores beside them or apart', (t) => {
  const table = [...centres, ...scores]
  for (const [what, model, outputs] of [
    ['as exported', decodedAs({}), { out: rows(...table) }],
    ['transposed', decodedAs({ anchorsFirst: true }), { out: rows(...columns(table)) }],
    ['apart', decodedAs({ scores: 'scores' }), { out: rows(...centres), scores: rows(...scores) }],
    [
      'apart and transposed',
      decodedAs({ scores: 'scores', anchorsFirst: true }),
      { out: rows(...columns(centres)), scores: rows(...columns(scores)) },
    ],
  ] as const)
    t.same(decode(model, outputs), [second, first], what)
  t.end()
})

t.test('numbers that mean corners, or shares of the picture', (t) => {
  const corners = [
    [10, 40],
    [4, 16],
    [20, 60],
    [12, 24],
  ]
  const shares = (table: readonly (readonly number[])[]): readonly number[][] =>
    table.map((row, index) => row.map((value) => value / (index % 2 === 0 ? size.width : size.height)))
  for (const [what, coding, table] of [
    ['corners', { corners: true, inShares: false }, corners],
    ['shares', { corners: false, inShares: true }, shares(centres)],
    ['corners in shares', { corners: true, inShares: true }, shares(corners)],
  ] as const)
    t.same(decode(decodedAs({ coding }), { out: rows(...table, ...scores) }), [second, first], what)
  t.end()
})

t.test('of equal scores the first class of an anchor counts, and only one class of it', (t) => {
  const both = [
    [0.5, 0.1],
    [0.5, 0.3],
    [0.4, 0.2],
  ]
  const found = decode(decodedAs({}), { out: rows(...centres, ...both) })
  t.same(
    found.map(({ classIndex, score }) => [classIndex, Math.fround(score)]),
    [
      [0, 0.5],
      [1, Math.fround(0.3)],
    ],
  )
  t.end()
})

t.test('final boxes: those above the score, the best first, as many as are wanted', (t) => {
  const box = (of: typeof first | typeof second, score: number = of.score): readonly number[] => [
    ...[of.x1, of.y1, of.x2, of.y2],
    ...[score, of.classIndex],
  ]
  t.same(decode(final, { final: rows(box(first), box(second)) }), [second, first])
  t.same(decode(final, { final: rows(box(first), box(first, 0.25), box(second, 0.1)) }), [first])
  t.same(decode(final, { final: rows(box(second, 1.5)) }), [{ ...second, score: 1 }], 'no score above 1')
  t.same(decode(final, { final: new Float32Array() }), [])
  const overlapping = decode(final, { final: rows(box(first), box(first, 0.4)) })
  t.equal(overlapping.length, 2, 'nothing is suppressed once more')
  const options = { ...predictionOptions, maxDet: 1 }
  const most = decodeDetections(new Map([['final', rows(box(first), box(second))]]), final, picture, options)
  t.same(most, [second])
  for (const classIndex of [-1, 3, 0.5]) {
    const wrong = rows([10, 4, 20, 12, 0.9, classIndex])
    t.throws(() => decode(final, { final: wrong }), {
      code,
      message: new RegExp(`a box of class ${classIndex}, `),
    })
  }
  t.doesNotThrow(() => decode(final, { final: rows([0, 0, 1, 1, 0.1, 99]) }), 'a row that is none')
  t.throws(() => decode(final, { final: new Float32Array(13) }), {
    code,
    message: /13 values, expected a multiple of 6/,
  })
  t.end()
})

t.test('outputs that are missing, or of another size, are refused by name', (t) => {
  t.throws(() => decode(decodedAs({}), { other: rows([1]) }), {
    code,
    message: /gave the outputs other, expected one named out/,
  })
  for (const length of [0, 13]) {
    t.throws(() => decode(decodedAs({}), { out: new Float32Array(length) }), {
      code,
      message: /expected a multiple of 7/,
    })
  }
  const apart = { out: rows(...centres), scores: new Float32Array(5) }
  t.throws(() => decode(decodedAs({ scores: 'scores' }), apart), {
    code,
    message: /output scores has 5 values, expected 6/,
  })
  t.end()
})
