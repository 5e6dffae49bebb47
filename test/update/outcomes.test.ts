import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import type { DeploymentRecord } from '../../src/update/deployment-record.js'
import { type Outcome, outcomeOf, retryWaitMs, withOutcome } from '../../src/update/outcomes.js'

const nowMs = 1_000_000

function ended(code: string | undefined, attempt = 1, attemptsMax = 3): Outcome {
  const deployment = {
    id: 'd',
    model: 'parts',
    version: '2.0.0',
    attempt,
    ...(code !== undefined && { error: { code, message: 'm'.repeat(600) } }),
  } as unknown as DeploymentRecord
  return outcomeOf(deployment, 'refused', { attemptsMax, nowMs, random: seededRandom(1) })
}

t.test('a wish that another one took the place of is tried again at once, and costs no attempt', (t) => {
  t.match(ended('deployment.wish_superseded', 5), {
    result: 'refused',
    attempts: 4,
    isFinal: false,
    retryAtMs: nowMs,
    retryDelayMs: 0,
  })
  t.end()
})

t.test('failures that say nothing about the model never use up the attempts', (t) => {
  for (const code of [
    'network.request_timeout',
    'resource.disk_full',
    'bundle.file_missing',
    'trust.key_unknown',
  ])
    t.match(ended(code, 9), { attempts: 8, isFinal: false }, code)
  t.end()
})

t.test('what the model did counts, until the attempts are used up or it is hopeless', (t) => {
  t.match(ended('deployment.run_interrupted', 2), { attempts: 2, isFinal: false })
  t.match(ended(undefined, 2), { code: 'deployment.run_interrupted', attempts: 2 })
  t.match(ended('deployment.run_interrupted', 3), { attempts: 3, isFinal: true })
  t.match(ended('model.not_yolov8', 1), { isFinal: true }, 'it stays what it is')
  t.match(ended('future.code', 1), { isFinal: true }, 'what is not known is not tried again')
  t.end()
})

t.test('the wait grows with the attempts from a minute to an hour, and a message is cut', (t) => {
  const delays = [1, 2, 4, 12].map((attempt) => ended('network.request_timeout', attempt).retryDelayMs!)
  for (const delay of delays) t.ok(delay >= 0 && delay <= 3_600_000, String(delay))
  t.ok(delays[0]! <= 60_000)
  t.ok(delays.at(-1)! > 60_000)
  const outcome = ended('network.request_timeout')
  t.equal(outcome.retryAtMs, nowMs + outcome.retryDelayMs!)
  t.equal(outcome.message?.length, 500)
  t.end()
})

t.test('a clock that jumps makes no wait longer than it was to be', (t) => {
  const outcome: Outcome = {
    deploymentId: 'd',
    result: 'refused',
    attempts: 1,
    isFinal: false,
    retryAtMs: 10_000,
    retryDelayMs: 4000,
  }
  t.equal(retryWaitMs(outcome, 7000), 3000)
  t.equal(retryWaitMs(outcome, 0), 4000)
  t.equal(retryWaitMs(outcome, 20_000), 0)
  const { retryDelayMs, ...older } = outcome
  t.ok(retryDelayMs)
  t.equal(
    retryWaitMs({ ...older, retryAtMs: 1e12 }, 0),
    3_600_000,
    'an hour bounds what older versions wrote',
  )
  t.end()
})

t.test('one outcome a deployment, sixteen in all, the newest last', (t) => {
  const outcome = (deploymentId: string, attempts = 1): Outcome => ({
    ...{ deploymentId, result: 'refused', attempts, isFinal: true, retryAtMs: 0 },
  })
  let outcomes: readonly Outcome[] = []
  for (let number = 0; number < 18; number++) outcomes = withOutcome(outcomes, outcome(`d${number}`))
  outcomes = withOutcome(outcomes, outcome('d5', 2))
  t.same(
    outcomes.map(({ deploymentId }) => deploymentId),
    ['d2', 'd3', 'd4', ...[6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map((number) => `d${number}`), 'd5'],
  )
  t.equal(outcomes.at(-1)?.attempts, 2)
  t.end()
})

t.test('a commit is final', (t) => {
  const deployment = { id: 'd', model: 'm', version: '1.0.0', attempt: 2 } as unknown as DeploymentRecord
  const options = { attemptsMax: 3, nowMs, random: seededRandom(1) }
  t.same(outcomeOf(deployment, 'committed', options), {
    ...{ deploymentId: 'd', model: 'm', version: '1.0.0', endedAtMs: nowMs },
    ...{ result: 'committed', attempts: 2, isFinal: true, retryAtMs: 0 },
  })
  t.equal(outcomeOf(deployment, 'rollingBack', options).result, 'rolledBack')
  t.end()
})
