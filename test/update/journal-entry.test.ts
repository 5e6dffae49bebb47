import t from 'tap'
import { type JournalEntry, parseJournalEntry } from '../../src/update/journal-entry.js'
import { emptyRecord } from '../../src/update/deployment-record.js'

const deployment = {
  ...emptyRecord(),
  id: 'd',
  target: { kind: 'device', name: 'cam-1' },
  model: 'parts',
  version: '1.0.0',
  allowDowngrade: false,
  attempt: 1,
  shortlist: ['int8'],
  discarded: [{ variant: 'fp32', reason: 'slow' }],
} as const
const outcome = { deploymentId: 'd', result: 'refused', attempts: 1, isFinal: false, retryAtMs: 5 } as const
const entry: JournalEntry = {
  state: 'trial',
  deployment,
  outcomes: [outcome],
  seenWishes: { 'device/cam-1': { sequence: 3, id: 'w' } },
  unsettledStarts: 0,
}

t.test('an entry comes back as it was written', (t) => {
  for (const each of [
    entry,
    { ...entry, bootId: 'b', ownWish: 'w' },
    { ...entry, state: 'idle', deployment: undefined },
    {
      ...entry,
      deployment: {
        ...deployment,
        ...{ manifestSha256: 'a', variantId: 'v', why: 'fast', reconsidered: 'power' },
        error: { code: 'c', message: 'm' },
      },
      outcomes: [
        {
          ...outcome,
          ...{ model: 'm', version: '1.0.0', code: 'c', message: 'm', endedAtMs: 1, retryDelayMs: 2 },
        },
      ],
    },
  ])
    t.same(parseJournalEntry(JSON.parse(JSON.stringify(each))), JSON.parse(JSON.stringify(each)))
  t.end()
})

t.test('one that anything is wrong with counts as none', (t) => {
  const wrong: unknown[] = [undefined, null, 7, 'text', [], [entry], {}]
  const changed = (changes: object): void => {
    wrong.push({ ...entry, ...changes })
  }
  changed({ state: 'resting' })
  changed({ deployment: undefined })
  changed({ outcomes: {} })
  changed({ outcomes: [outcome, null] })
  changed({ seenWishes: [] })
  changed({ seenWishes: { 'device/cam-1': { sequence: 'x', id: 'w' } } })
  changed({ seenWishes: { 'device/cam-1': { sequence: 1 } } })
  changed({ seenWishes: { 'device/cam-1': null } })
  for (const unsettledStarts of [undefined, '1', 0.5]) changed({ unsettledStarts })
  for (const name of ['bootId', 'ownWish']) changed({ [name]: 7 })
  for (const name of ['id', 'model', 'version']) changed({ deployment: { ...deployment, [name]: 7 } })
  for (const name of ['attempt', 'restarts', 'trialRestarts', 'refetches'])
    changed({ deployment: { ...deployment, [name]: 'once' } })
  for (const name of ['manifestSha256', 'variantId', 'why', 'reconsidered'])
    changed({ deployment: { ...deployment, [name]: 7 } })
  for (const target of [undefined, 'device', { kind: 'device' }, { kind: 1, name: 'cam-1' }])
    changed({ deployment: { ...deployment, target } })
  for (const allowDowngrade of [undefined, 'no']) changed({ deployment: { ...deployment, allowDowngrade } })
  for (const shortlist of [undefined, 'int8', ['int8', 7]])
    changed({ deployment: { ...deployment, shortlist } })
  for (const discarded of [undefined, {}, ['fp32'], [{ variant: 'fp32' }], [{ variant: 1, reason: 'slow' }]])
    changed({ deployment: { ...deployment, discarded } })
  for (const error of [null, 'text', { code: 'c' }, { code: 1, message: 'm' }])
    changed({ deployment: { ...deployment, error } })
  for (const name of ['deploymentId', 'result']) changed({ outcomes: [{ ...outcome, [name]: 7 }] })
  for (const name of ['attempts', 'isFinal', 'retryAtMs', 'retryDelayMs', 'endedAtMs'])
    changed({ outcomes: [{ ...outcome, [name]: 'text' }] })
  for (const name of ['code', 'message', 'model', 'version'])
    changed({ outcomes: [{ ...outcome, [name]: 7 }] })
  for (const each of wrong)
    t.equal(parseJournalEntry(each), undefined, JSON.stringify({ each }).slice(0, 200))
  t.end()
})
