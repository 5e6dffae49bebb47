import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { encodeDeployment } from '../../../src/protocol/deployment.js'
import { encodeReported } from '../../../src/protocol/reported.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { projectRoot } from '../../helpers/paths.js'

const run = promisify(execFile)
const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const at = '2026-01-01T00:00:00.000Z'

t.test('the whole decision of a device, from what it has said', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const topics = topicsBelow('yolo-edge/v2')
  const running = {
    model: 'parts',
    version: '1.2.0',
    variant: 'int8',
    sha256: 'a'.repeat(64),
    provider: 'cpu',
  }
  await connection.publishState(
    topics.deviceState('pi', 'reported'),
    encodeReported({ at, active: { ...running, since: at, why: 'balanced: p95 20.0 ms on cpu, mAP 0.350' } }),
  )
  await connection.publishState(
    topics.deviceState('pi', 'deployment'),
    encodeDeployment({
      at,
      id: 'd',
      state: 'committed',
      model: 'parts',
      version: '1.2.0',
      attempt: 1,
      discarded: [{ variant: 'fp32', reason: 'p95 50.0 ms on cpu, mAP 0.353; int8 is better' }],
    }),
  )
  const { stdout } = await run(process.execPath, [program, 'why', 'pi', '--broker', broker.url])
  t.match(stdout, /pi serves parts 1\.2\.0, variant int8, on cpu/)
  t.match(stdout, /because balanced: p95 20\.0 ms/)
  t.match(stdout, /not fp32: p95 50\.0 ms/)
  await t.rejects(run(process.execPath, [program, 'why', 'nobody', '--broker', broker.url]), {
    code: 6,
    stderr: /has said nothing/,
  })
})
