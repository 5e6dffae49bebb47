import { appendFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Probe } from '../../src/compress/pruning/sensitivity.js'
import { prune, type Measurements } from '../../src/compress/pruning/prune.js'
import type { CalibrationImages } from '../../src/compress/ports.js'
import { readLetterboxed } from '../../src/camera/read-image.js'
import { importModel } from '../../src/onnx/import-model.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { graphRunner } from '../helpers/graph-runner.js'
import { shared } from '../helpers/paths.js'
import { ValidationPictures } from '../helpers/validation.js'

const { values } = parseArgs({ options: { plans: { type: 'string' }, images: { type: 'string', default: '64' }, sens: { type: 'string' }, val: { type: 'string', default: '250' } } })
const graph = importModel(readFileSync(shared('models', 'yolov8n.onnx')))
const paths = [join('calib', 'images'), 'unlabelled'].flatMap((f) => readdirSync(shared('coco', f)).filter((n) => n.endsWith('.jpg')).sort().map((n) => join(shared('coco', f), n))).slice(0, Number(values.images))
const images: CalibrationImages = { count: paths.length, read: async (i, size) => (await readLetterboxed(paths[i]!, size)).pixels }
const runner = graphRunner()
const validation = new ValidationPictures(Number(values.val))
const measured: Measurements = { scores: new Map(), sensitivity: new Map() }
process.on('SIGTERM', () => process.exit())
let last = ''
const sensFile = values.sens
if (sensFile !== undefined && existsSync(sensFile)) {
  const saved = new Map(JSON.parse(readFileSync(sensFile, 'utf8')) as [string, Probe[]][])
  measured.sensitivity.get = () => saved
}

for (const plan of JSON.parse(values.plans!)) {
  const t0 = performance.now()
  const stages: Record<string, number> = {}
  const { graph: pruned, report } = await prune(graph, plan, { runner, images, measured, onProgress: (stage, done, total) => {
    stages[stage] ??= performance.now()
    if (process.env['STOP'] && stage === 'sensitivity' && done >= 12) throw new Error('stop')
    if (done === total) last = `${stage} ${((performance.now() - stages[stage]!) / 1000).toFixed(0)}s`
  } })
  const t1 = performance.now()
  const a = await validation.accuracyOf(exportModel(pruned))
  const line = JSON.stringify({ ...plan, macsKept: +(report.after.macs / report.before.macs).toFixed(4), params: report.after.parameters, map: +a.map.toFixed(4), map50: +a.map50.toFixed(4), pruneS: Math.round((t1 - t0) / 1000), evalS: Math.round((performance.now() - t1) / 1000), rssMB: process.memoryUsage().rss >> 20, last })
  console.log(line)
  appendFileSync('/tmp/prune/log.jsonl', line + '\n')
  writeFileSync('/tmp/prune/last.json', JSON.stringify({ layers: report.layers, restored: report.restored }))
  if (sensFile !== undefined && !existsSync(sensFile) && measured.sensitivity.size > 0) writeFileSync(sensFile, JSON.stringify([...[...measured.sensitivity.values()][0]!]))
}
