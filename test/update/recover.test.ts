import t from 'tap'
import type { DeploymentState } from '../../src/protocol/deployment.js'
import { type DeploymentRecord, emptyRecord } from '../../src/update/deployment-record.js'
import type { JournalEntry } from '../../src/update/journal-entry.js'
import type { Outcome } from '../../src/update/outcomes.js'
import type { ServedModel, SlotsView } from '../../src/update/ports.js'
import { recover } from '../../src/update/recover.js'
import { stateRow } from '../../src/update/states.js'

const record = (id: string, changes: Partial<DeploymentRecord> = {}): DeploymentRecord => ({
  ...emptyRecord(),
  id,
  target: { kind: 'channel', name: 'stable' },
  model: 'parts',
  version: '2.0.0',
  allowDowngrade: false,
  attempt: 1,
  ...changes,
})

const model = (deploymentId: string): ServedModel => ({
  deploymentId,
  model: 'parts',
  version: `1.0.${deploymentId.length}`,
  sequence: 1,
  variantId: 'int8',
  manifestSha256: 'a'.repeat(64),
  blobSha256s: [],
  sinceMs: 0,
})

function entry(
  state: DeploymentState,
  deployment?: DeploymentRecord,
  changes: Partial<JournalEntry> = {},
): JournalEntry {
  return {
    state,
    ...(deployment !== undefined && { deployment }),
    outcomes: [],
    seenWishes: {},
    unsettledStarts: 0,
    ...changes,
  }
}

const nothing: SlotsView = { sequences: {} }
const before: SlotsView = { active: model('old'), sequences: {} }
const switched: SlotsView = { ...before, active: model('new'), beforeSwitch: { active: model('old') } }
const outcome = (deploymentId: string, result: Outcome['result'], attempts = 2): Outcome => ({
  ...{ deploymentId, result, attempts, isFinal: true, retryAtMs: 0 },
})

t.test('nothing known, nothing to do', (t) => {
  t.same(recover(undefined, nothing), { state: 'idle' })
  t.same(recover(undefined, before), { state: 'idle' })
  t.same(recover(entry('idle'), before), { state: 'idle' })
  t.same(recover(entry('idle', record('old')), before), { state: 'idle' })
  t.end()
})

t.test('what can go on does, and every restart is counted', (t) => {
  for (const [state, next] of [
    ['offered', 'offered'],
    ['downloading', 'downloading'],
    ['verifying', 'verifying'],
    ['staged', 'verifying'],
  ] as const)
    t.match(recover(entry(state, record('new', { restarts: 3 })), before), {
      state: next,
      deployment: { id: 'new', restarts: 4, trialRestarts: 0 },
    })
  t.match(recover(entry('trial', record('new')), before), {
    state: 'verifying',
    deployment: { restarts: 0, trialRestarts: 1 },
  })
  t.end()
})

t.test('what comes back each time is stopped: a download at the 29th restart, a trial at the third', (t) => {
  const last = (state: DeploymentState, changes: Partial<DeploymentRecord>): string =>
    recover(entry(state, record('new', changes)), before).state
  t.equal(last('downloading', { restarts: 27 }), 'downloading')
  t.equal(last('downloading', { restarts: 28 }), 'refused')
  t.equal(last('trial', { trialRestarts: 1, restarts: 28 }), 'verifying')
  t.equal(last('trial', { trialRestarts: 2 }), 'refused')
  t.match(recover(entry('trial', record('new', { trialRestarts: 2 })), before), {
    deployment: {
      error: {
        code: 'deployment.run_interrupted',
        message: 'the process or the power ended in state trial',
      },
    },
  })
  t.equal(last('committed', { restarts: 1000 }), 'rollingBack', 'it is not the active one')
  t.equal(last('refused', { restarts: 1000 }), 'refused')
  t.end()
})

t.test('between switch and commit the way leads back, with the reason that was there first', (t) => {
  for (const state of ['switching', 'soaking', 'rollingBack'] as const)
    t.match(recover(entry(state, record('new')), switched), {
      state: 'rollingBack',
      deployment: { id: 'new', restarts: 1, error: { code: 'deployment.run_interrupted' } },
    })
  const error = { code: 'deployment.soak_failed', message: 'slow' }
  t.match(recover(entry('rollingBack', record('new', { error })), switched), { deployment: { error } })
  t.end()
})

t.test('slots that are newer than the journal mean that the commit has happened', (t) => {
  const after: SlotsView = { active: model('new'), previous: model('old'), sequences: {} }
  for (const state of ['switching', 'soaking'] as const)
    t.match(recover(entry(state, record('new')), after), { state: 'committed', deployment: { restarts: 0 } })
  t.match(recover(entry('committed', record('new')), after), { state: 'committed' })
  t.match(recover(entry('committed', record('new')), before), {
    state: 'rollingBack',
    deployment: { error: { message: /its record is lost/ } },
  })
  t.end()
})

t.test('a switch that only the slots know of is undone, unless it was committed', (t) => {
  t.match(recover(undefined, switched), {
    state: 'rollingBack',
    deployment: { id: 'new', attempt: 1, variantId: 'int8', error: { message: /was not committed/ } },
  })
  t.match(recover(entry('idle'), switched), { state: 'rollingBack', deployment: { id: 'new' } })
  t.match(recover(entry('idle', undefined, { outcomes: [outcome('new', 'refused')] }), switched), {
    state: 'rollingBack',
    deployment: { attempt: 3 },
  })
  t.match(recover(entry('idle', undefined, { outcomes: [outcome('new', 'committed')] }), switched), {
    state: 'committed',
    deployment: { id: 'new' },
  })
  t.match(recover(entry('idle', undefined, { outcomes: [outcome('old', 'committed')] }), switched), {
    state: 'rollingBack',
  })
  t.match(recover(entry('downloading', record('other')), switched), {
    state: 'rollingBack',
    deployment: { id: 'new' },
  })
  t.match(recover(entry('offered', record('new', { attempt: 5 })), switched), { deployment: { attempt: 5 } })
  t.same(recover(undefined, { beforeSwitch: {}, sequences: {} }), { state: 'idle' }, 'nothing is active')
  t.end()
})

t.test('five starts that ended early bring the model before back, where there is one', (t) => {
  const after: SlotsView = { active: model('new'), previous: model('old'), sequences: {} }
  const starts = (unsettledStarts: number): JournalEntry => entry('idle', undefined, { unsettledStarts })
  t.same(recover(starts(4), after), { state: 'idle' })
  t.match(recover(starts(5), after), {
    state: 'rollingBack',
    deployment: {
      id: 'new',
      error: { code: 'deployment.crash_loop', message: /^5 starts in a row with parts/ },
    },
  })
  t.same(recover(starts(9), before), { state: 'idle' }, 'there is nothing to go back to')
  t.end()
})

t.test(
  'what a state asks for: a journal before work that cannot be guessed again, no stop in the middle of a switch',
  (t) => {
    const states: readonly DeploymentState[] = [
      ...(['idle', 'offered', 'downloading', 'verifying', 'staged', 'trial'] as const),
      ...(['switching', 'soaking', 'committed', 'refused', 'rollingBack'] as const),
    ]
    const those = (of: (state: DeploymentState) => boolean): readonly string[] => states.filter(of)
    t.same(
      those((state) => !stateRow(state).needsJournal),
      ['idle', 'refused', 'rollingBack'],
    )
    t.same(
      those((state) => stateRow(state).canBeStopped),
      ['offered', 'downloading', 'verifying', 'staged', 'trial', 'soaking'],
    )
    t.end()
  },
)
