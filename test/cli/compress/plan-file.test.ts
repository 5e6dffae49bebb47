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
    t.ok(prunePlanOf(plan.prune, {}) ?? sparsityPlanOf(plan.sparsity, {}), name)
  }
  t.end()
})

t.test('the command line wins over the file, key by key', (t) => {
  const plan = prunePlanOf(
    { macs: 0.8, criterion: 'l1', round_to: 8 },
    { ...pruneOption('0.7'), criterion: 'l2' },
  )
  t.match(plan, { macs: 0.7, criterion: 'l2', round_to: 8, restore: 'lsq' })
  t.same(pruneOption('macs=0.6,pooling=max, round_to = 4'), { macs: 0.6, pooling: 'max', round_to: 4 })
  t.match(sparsityPlanOf(undefined, { sparsity: 0.3 }), { sparsity: 0.3, pattern: 'unstructured' })
  t.match(sparsityPlanOf({ sparsity: 0.3 }, { pattern: '2:4' }), { sparsity: 0.3, pattern: '2:4' })
  t.end()
})

t.test('what nobody asks for is not done', (t) => {
  t.equal(prunePlanOf(undefined, {}), undefined)
  t.equal(sparsityPlanOf(undefined, {}), undefined)
  t.throws(() => prunePlanOf(undefined, { criterion: 'l1' }), {
    code: 'cli.argument_invalid',
    message: 'criterion l1 was given without what it belongs to, expected --prune macs=0.8 as well',
  })
  t.throws(() => sparsityPlanOf(undefined, { pattern: '2:4' }), { code: 'cli.argument_invalid' })
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
  t.throws(() => prunePlanOf({ macs: 0.5, sugar: 2 }, {}), {
    code: 'compress.plan_invalid',
    message: /sugar/,
  })
  t.end()
})
