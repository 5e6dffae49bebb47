import t from 'tap'
import { variantName } from '../../src/yolo/variant-name.js'

t.test('a variant is named after precision, target and input size', (t) => {
  t.equal(variantName({ precision: 'fp32', width: 640, height: 640 }), 'fp32-640')
  t.equal(
    variantName({ precision: 'int8', target: 'x64-vnni', width: 320, height: 320 }),
    'int8-x64-vnni-320',
  )
  t.equal(variantName({ precision: 'int8', target: 'arm64', width: 640, height: 480 }), 'int8-arm64-640x480')
  t.end()
})
