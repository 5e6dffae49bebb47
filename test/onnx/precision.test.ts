import t from 'tap'
import { importModel } from '../../src/onnx/import-model.js'
import { integerNodeOf, precisionOf } from '../../src/onnx/precision.js'
import { runPasses } from '../../src/compress/run-passes.js'
import { halfPrecision } from '../../src/compress/passes/half-precision.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../helpers/paths.js'

const parts = (name: string) => importModel(readFileSync(join(projectRoot, 'models', 'parts', name)))

t.test('float, half and int8 files are told apart by what is in them', (t) => {
  const float = parts('parts.onnx')
  t.equal(precisionOf(float), 'fp32')
  t.equal(integerNodeOf(float), undefined)
  t.equal(precisionOf(runPasses(toEdgeForm(float), [halfPrecision])), 'fp16')
  const int8 = parts('parts-int8.onnx')
  t.equal(precisionOf(int8), 'int8')
  t.match(integerNodeOf(int8)?.opType, /^QLinear|^Dequantize/)
  t.end()
})

t.test('a matrix product of integers alone makes a file int8', (t) => {
  const float = parts('parts.onnx')
  const [first, ...others] = float.nodes
  t.equal(precisionOf({ ...float, nodes: [{ ...first!, opType: 'QGemm' }, ...others] }), 'int8')
  t.end()
})
