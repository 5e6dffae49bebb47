import t from 'tap'
import { endedDeployments } from '../../src/agent/reporting/ended-deployments.js'
import { deploymentHistoryData, parseDeploymentHistory } from '../../src/protocol/deployment-history.js'

const outcome = {
  deploymentId: 'd1',
  model: 'parts',
  version: '1.0.0',
  endedAtMs: 0,
  result: 'refused',
  attempts: 1,
  code: 'model.not_yolov8',
  message: 'it has no head',
  isFinal: true,
  retryAtMs: 0,
} as const

t.test('what a device tells of its deployments arrives as it was', (t) => {
  const history = endedDeployments([outcome, { ...outcome, deploymentId: 'd2', result: 'committed' }])
  t.match(history, [{ id: 'd1', at: '1970-01-01T00:00:00.000Z', error: { code: 'model.not_yolov8' } }])
  t.same(parseDeploymentHistory(JSON.parse(JSON.stringify(deploymentHistoryData(history)))), history)
  t.end()
})

t.test('what an older version kept without names is left out', (t) => {
  const { deploymentId, result, attempts, isFinal, retryAtMs } = outcome
  t.same(endedDeployments([{ deploymentId, result, attempts, isFinal, retryAtMs }]), [])
  t.end()
})

t.test('an answer of another form is refused, and names the place', (t) => {
  for (const data of [undefined, null, 7, {}, { deployments: [{ id: 'x' }] }, { deployments: 'none' }])
    t.throws(() => parseDeploymentHistory(data), { code: 'protocol.payload_malformed' })
  t.throws(() => parseDeploymentHistory({ deployments: [{ id: 'x' }] }), { message: /deployments\.0\.model/ })
  t.end()
})
