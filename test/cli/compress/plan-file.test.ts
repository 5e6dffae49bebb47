import { join } from 'node:path'
import t from 'tap'

import {
  pruneOption,
  prunePlanOf,
  readPlanFile,
  sparsityPlanOf,
} from '../../../src/cli/compress/plan-file.js'
import { readdirSync } from 'node:fs'
import { projectRoot } from '../../helpers/paths.js'

t.test('the plans that are delivered are plans', (t) => {
  const folder = join(projectRoot, 'config', 'compress')
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  t.ok(files.length >= 3)
  for (const name of files) {
    const plan = readPlanFile(join(folder, name))
    t.ok(prunePlanOf(plan.prune, undefined, {}) ?? sparsityPlanOf(plan.sparsity, {}), name)
  }
  t.end()
})

t.test('the command line wins over the file, key by key', (t) => {
  const plan = prunePlanOf({ macs: 0.8, criterion: 'l1', round_to: 8 }, pruneOption('0.7'), {
    criterion: 'l2',
    seed: 7,
  })
  t.match(plan, { macs: 0.7, criterion: 'l2', round_to: 8, restore: 'lsq', seed: 7 })
  t.same(pruneOption('macs=0.6,pooling=max, round_to = 4'), { macs: 0.6, pooling: 'max', round_to: 4 })
  t.match(sparsityPlanOf(undefined, { sparsity: 0.3 }), { sparsity: 0.3, pattern: 'unstructured' })
  t.match(sparsityPlanOf({ sparsity: 0.5 }, { pattern: '2:4' }), { sparsity: 0.5, pattern: '2:4' })
  t.end()
})

t.test('what nobody asks for is not done', (t) => {
  t.equal(prunePlanOf(undefined, undefined, {}), undefined)
  t.equal(sparsityPlanOf(undefined, {}), undefined)
  t.throws(() => prunePlanOf(undefined, { rounds: 2 }, {}), {
    code: 'compress.plan_invalid',
    message: /the pruning plan has macs undefined, expected/,
  })
  t.end()
})

t.test('keys of a sparsity plan that another key makes idle are refused', (t) => {
  const code = 'compress.plan_invalid'
  t.match(sparsityPlanOf(undefined, { threshold: 0.01 }), { threshold: 0.01 })
  t.throws(() => sparsityPlanOf({ sparsity: 0.5 }, { threshold: 0.01 }), {
    code,
    message:
      'the sparsity plan has threshold 0.01 and sparsity 0.5: a threshold alone says which weights go, expected one of both',
  })
  t.throws(() => sparsityPlanOf({ threshold: 0.01, pattern: 'kernel' }, {}), {
    code,
    message: /and pattern kernel/,
  })
  t.match(sparsityPlanOf({ pattern: '1:4' }, {}), { pattern: '1:4' })
  t.throws(() => sparsityPlanOf(undefined, { sparsity: 0.3, pattern: '2:4' }), {
    code,
    message:
      'the sparsity plan has sparsity 0.3 and pattern 2:4, expected sparsity 0.5, which the pattern makes',
  })
  t.end()
})

t.test('a file that is no plan is refused with its name', (t) => {
  const folder = t.testdir({
    'list.yaml': '- prune\n',
    'odd.yaml': 'prune: { macs: 0.5 }\ncoffee: { sugar: 2 }\n',
    'flat.yaml': 'prune: 0.5\n',
    'broken.yaml': 'prune: {',
  })
  const refusals = [
    ['list.yaml', 'config.file_unreadable', /the compression plan .*list\.yaml should be a map/],
    ['odd.yaml', 'compress.plan_invalid', /has a section coffee, expected some of prune, sparsity, int8/],
    ['flat.yaml', 'compress.plan_invalid', /the section prune of the plan .*flat\.yaml should be a map/],
    ['broken.yaml', 'config.file_unreadable', /cannot read the compression plan/],
    ['missing.yaml', 'config.file_unreadable', /cannot read the compression plan/],
  ] as const
  for (const [name, code, message] of refusals)
    t.throws(() => readPlanFile(join(folder, name)), { code, message })
  t.throws(() => prunePlanOf({ macs: 0.5, sugar: 2 }, undefined, {}), {
    code: 'compress.plan_invalid',
    message: /sugar/,
  })
  t.end()
})
