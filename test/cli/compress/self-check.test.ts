import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import {
  checkLine,
  checkReport,
  requireAgreement,
  verdictOf,
} from '../../../src/cli/compress/check-verdict.js'
import { saturates } from '../../../src/cli/compress/int8-step.js'
import { selfCheck, type SelfCheckPictures } from '../../../src/cli/compress/self-check.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import type { CalibrationImages } from '../../../src/compress/ports.js'
import { pictureShifts } from '../../../src/evaluation/picture-shifts.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { applyPatch } from '../../../src/onnx/patch.js'
import { floatTensor } from '../../../src/onnx/tensor.js'
import { drawScene } from '../../../src/training/conveyor/draw-scene.js'
import { planScene } from '../../../src/training/conveyor/scene.js'
import { findHead } from '../../../src/yolo/find-head.js'
import { projectRoot } from '../../helpers/paths.js'

t.setTimeout(180_000)

const float = toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))))

function drawn(count: number, first: number): CalibrationImages {
  const scenes = Array.from(
    { length: count },
    (_, index) => drawScene(planScene(first + index), 160, 160).pixels,
  )
  return { count, read: (index) => Promise.resolve(scenes[index]!) }
}

const none: CalibrationImages = { count: 0, read: () => Promise.reject(new Error('nothing to read')) }
const grey: CalibrationImages = {
  count: 8,
  read: (index) => Promise.resolve(new Uint8Array(160 * 160 * 3).fill(90 + 10 * index)),
}

/** The detector with `shift` added to every class logit. */
function withShiftedScores(graph: Graph, shift: number): Graph {
  const biases = findHead(graph).levels.map(({ cls }) => cls.node.inputs[2]!)
  return applyPatch(graph, {
    initializers: biases.map((name) => {
      const { dims, data } = graph.initializers.get(name)!
      return [
        name,
        floatTensor(
          dims,
          Float32Array.from(data as Float32Array, (value) => value + shift),
        ),
      ] as const
    }),
  })
}

const named = (name: string): Graph =>
  applyPatch(float, { metadata: new Map([...float.metadata, ['yolo_edge.int8_target', name]]) })

t.test(
  'a model agrees with itself, whatever hardware its file names, on pictures of every kind',
  async (t) => {
    const pictures: SelfCheckPictures = { calibration: drawn(16, 0), heldOut: drawn(2, 500) }
    const models = ['x64-vnni', 'arm64'].map((name) => ({ name, graph: named(name) }))
    const told: number[] = []
    const check = await selfCheck(float, models, pictures, systemClock, (fraction) => told.push(fraction))
    t.match(check, { heldOut: 2, shiftedCopies: 10, asked: 8, empty: 0 })
    t.same(
      check.models.map(({ name }) => name),
      ['x64-vnni', 'arm64'],
    )
    for (const { f1, largestDifference, floatFinds, int8Finds, kinds } of check.models) {
      t.same([f1, largestDifference, int8Finds], [1, 0, floatFinds])
      t.ok(floatFinds > 20, `${floatFinds} objects`)
      t.same(
        kinds.map(({ kind }) => kind),
        ['as they are', ...pictureShifts],
      )
      t.equal(
        kinds.reduce((sum, each) => sum + each.floatFinds, 0),
        floatFinds,
      )
    }
    t.same(
      told,
      told.toSorted((a, b) => a - b),
    )
    t.equal(told.at(-1), 1)
    const verdict = verdictOf(check, 0.99)
    t.same(verdict.warnings, [])
    t.doesNotThrow(() => {
      requireAgreement(verdict)
    })
    t.match(
      checkLine(verdict, 60),
      /^self-check: on 12 pictures .*\(2 held out, 10 shifted copies\) .* F1 1.000 \(x64-vnni\)/,
    )
    t.match(checkReport(verdict), { agrees: true, min_agreement: 0.99 })
  },
)

t.test(
  'a model that gives every object less is told by its objects and its scores, and refused',
  async (t) => {
    const models = [
      { name: 'x64', graph: float },
      { name: 'arm64', graph: withShiftedScores(float, -4) },
    ]
    const pictures = { calibration: drawn(8, 0), heldOut: none }
    const check = await selfCheck(float, models, pictures, systemClock)
    t.match(check, { heldOut: 0, shiftedCopies: 10 })
    const verdict = verdictOf(check, 0.8)
    t.same(
      verdict.low.map(({ name }) => name),
      ['arm64'],
    )
    t.ok(verdict.low[0]!.largestDifference > 0.3)
    t.match(verdict.warnings, [
      /^int8 for arm64 finds other objects than float: F1 0\.\d+ .*expected at least 0\.8$/,
    ])
    t.throws(
      () => {
        requireAgreement(verdict)
      },
      { code: 'compress.agreement_low', message: /^--strict: int8 for arm64 .*; nothing was written$/ },
    )
    t.match(checkLine(verdict, 60), /shifted copies of calibration pictures \(too few to hold any out\)/)
  },
)

t.test('pictures in which float finds nothing are warned of, and tell no agreement', async (t) => {
  const check = await selfCheck(
    float,
    [{ name: 'x64', graph: float }],
    { calibration: grey, heldOut: none },
    systemClock,
  )
  t.match(check, { asked: 8, empty: 8 })
  const verdict = verdictOf(check, 0.8)
  t.match(verdict, { isTold: false, low: [] })
  t.match(verdict.warnings, [/^float itself finds nothing in 8 of 8 calibration pictures/, /cannot be told/])
  t.throws(
    () => {
      requireAgreement(verdict)
    },
    { code: 'compress.agreement_low', message: /cannot be told/ },
  )
})

t.test('only x86-64 without VNNI adds products of 8-bit weights with saturation', (t) => {
  t.ok(saturates(8, ['x64']))
  t.notOk(saturates(7, ['x64']))
  t.notOk(saturates(8, ['x64-vnni', 'x64']))
  t.notOk(saturates(8, ['arm64']))
  t.notOk(saturates(8, []))
  t.end()
})
