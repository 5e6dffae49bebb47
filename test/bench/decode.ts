/**
 * Microseconds to decode one picture of a 640x640, 80-class model, for both forms of output.
 * Logits are drawn like those of a street scene: most far below any threshold. Run: node dist/test/bench/decode.js
 */

import { seededRandom } from '../../src/base/random.js'
import { decodeDetections } from '../../src/yolo/decode.js'
import { predictionOptions, validationOptions } from '../../src/yolo/detection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { placeOutputs } from '../../src/yolo/output-memory.js'
import { decodedModel, exportTail, headsModel, randomHeads } from '../helpers/heads.js'

const side = 640
const classCount = 80
const rounds = 60
const geometry = letterbox({ width: 1920, height: 1080 }, { width: side, height: side })
const heads = randomHeads(side, classCount, seededRandom(1), { mean: -14, spread: 2.9 })
const decoded = exportTail(heads, side, classCount)
const forms = [
  { form: 'decoded', outputs: placeOutputs(decoded), model: decodedModel(side, classCount) },
  { form: 'heads', outputs: placeOutputs(heads), model: headsModel(side, classCount) },
]
const settings = [
  { setting: 'conf 0.25, best class', options: predictionOptions },
  { setting: 'conf 0.001, every class', options: validationOptions },
]
const cases = forms.flatMap((form) =>
  settings.map((setting) => ({ ...form, ...setting, times: [] as number[] })),
)

let found = 0
for (let round = 0; round < rounds; round++) {
  for (const { outputs, model, options, times } of cases) {
    const start = performance.now()
    found = decodeDetections(outputs, model, geometry, options).length
    times.push((performance.now() - start) * 1000)
    if (found === 0) throw new RangeError('the benchmark decodes nothing')
  }
}
console.log('form     setting                   detections   min us   median us')
for (const { form, setting, outputs, model, options, times } of cases) {
  const sorted = times.slice(10).sort((a, b) => a - b)
  const count = decodeDetections(outputs, model, geometry, options).length
  const numbers = [count, sorted[0]!, sorted[sorted.length >> 1]!].map((value) =>
    value.toFixed(0).padStart(10),
  )
  console.log(`${form.padEnd(8)} ${setting.padEnd(24)} ${numbers.join(' ')}`)
}
