/** A file that ONNX Runtime cannot load: published, tried and served behind a runner command. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type FrameDetections, parseDetections } from '../../src/protocol/detections.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { openConnection, startBroker } from '../helpers/broker.js'
import { projectRoot } from '../helpers/paths.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'
import { tinyDetector } from '../helpers/tiny-detector.js'

const device = 'npu-1'
const topics = topicsBelow('yolo-edge/v2')
const limitMs = 60_000

t.test('from publish to detections on an accelerator of another kind', async (t) => {
  const folder = temporaryFolder(t, { 'yolo.hef': '{"kind":"brightness"}' }, [])
  const [onnx, hef] = [join(folder, 'yolo.onnx'), join(folder, 'yolo.hef')]
  writeFileSync(onnx, tinyDetector({ size: 64 }).bytes)
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  let reported: Reported | undefined
  let detections: FrameDetections | undefined
  connection.subscribe([topics.deviceState(device, 'reported')], 1, ({ payload }) => {
    reported = parseReported(payload)
  })
  connection.subscribe([topics.detections(device, 'front')], 0, ({ payload }) => {
    detections = parseDetections(payload)
  })
  const runner = join(projectRoot, 'dist', 'test', 'helpers', 'reference-runner.js')
  const settings = [
    `device.id=${device}`,
    `broker.url=${broker.url}`,
    `state.directory=${join(folder, 'state')}`,
    'security.allow_unsigned=true',
    'selection.trial_runs=5',
    'acceptance.soak_s=0',
    'inference.conf=0',
    // No provider of ONNX Runtime works here: what is left is the runner.
    'inference.providers=openvino',
    `inference.runners=hef=${process.execPath} ${runner} abacus 2.1.0 abacus1`,
    'cameras=front=synthetic#fps=10',
  ].flatMap((setting) => ['--set', setting])
  const agent = startCommand(t, ['run', ...settings])
  const artefact = ['--artefact', 'hef=abacus1,abacus,2.1.0']
  const sent = await runCommand(t, ['publish', onnx, hef, ...artefact, '--unsigned', '--broker', broker.url])
  t.equal(sent.status, 0, sent.stderr)
  const startMs = performance.now()
  while (
    (detections === undefined || reported?.active === undefined) &&
    performance.now() - startMs < limitMs
  )
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.match(reported?.active, { variant: 'hef-abacus1', provider: 'abacus' }, agent.stderr())
  t.equal(detections?.variant, 'hef-abacus1')
  t.equal(detections?.detections.length, 1, 'the runner sees one box in each picture')
})
