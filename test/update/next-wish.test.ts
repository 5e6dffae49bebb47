import t from 'tap'
import type { Outcome } from '../../src/update/outcomes.js'
import { nextStep } from '../../src/update/next-wish.js'
import type { ServedModel } from '../../src/update/ports.js'
import type { WishDecision } from '../../src/update/wishes.js'

const decision: WishDecision = {
  kind: 'deploy',
  wish: {
    id: 'channel-wish',
    desired: {
      target: { kind: 'channel', name: 'stable' },
      model: 'parts',
      version: '2.0.0',
      sequence: 1,
      createdAt: '2026-01-01T00:00:00Z',
    },
  },
}

function served(version: string): ServedModel {
  return {
    deploymentId: `deployment-${version}`,
    model: 'parts',
    version,
    sequence: 1,
    variantId: 'int8',
    manifestSha256: 'a'.repeat(64),
    blobSha256s: [],
    sinceMs: 0,
  }
}

function outcome(deploymentId: string, result: Outcome['result'], isFinal = true): Outcome {
  return { deploymentId, result, attempts: 1, isFinal, retryAtMs: 0 }
}

function kindOf(active: ServedModel | undefined, outcomes: readonly Outcome[]): string {
  return nextStep(decision, { active, sequences: {} }, outcomes, () => 0).kind
}

t.test('what is served already is not deployed again', (t) => {
  t.equal(kindOf(served('2.0.0'), []), 'wait')
  t.equal(kindOf(served('1.0.0'), []), 'deploy')
  t.equal(kindOf(undefined, [outcome('channel-wish', 'committed')]), 'deploy', 'its record was lost')
  t.end()
})

t.test('a wish that counts again after another one is followed again', (t) => {
  const committed = outcome('channel-wish', 'committed')
  const own = outcome('device-wish', 'committed')
  t.equal(kindOf(served('1.0.0'), [committed, own]), 'deploy')
  t.equal(kindOf(served('1.0.0'), [own, committed]), 'wait', 'nothing has replaced it')
  t.end()
})

t.test('a wish that was refused for good is never tried again', (t) => {
  const refused = outcome('channel-wish', 'refused')
  t.equal(kindOf(served('1.0.0'), [refused]), 'wait')
  t.equal(kindOf(served('1.0.0'), [refused, outcome('other', 'committed')]), 'wait')
  t.equal(kindOf(served('1.0.0'), [outcome('channel-wish', 'refused', false)]), 'deploy')
  t.end()
})
