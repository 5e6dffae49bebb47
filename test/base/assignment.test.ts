import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Assignment } from '../../src/base/assignment.js'
import { seededRandom } from '../../src/base/random.js'
import { projectRoot } from '../helpers/paths.js'

interface Problem {
  readonly price: number
  readonly cost: readonly (readonly number[])[]
  readonly least: number
}

const { assignments } = JSON.parse(
  readFileSync(join(projectRoot, 'test', 'fixtures', 'tracking', 'tracking.json'), 'utf8'),
) as { readonly assignments: readonly Problem[] }

function costFound(assignment: Assignment, { cost, price }: Pick<Problem, 'cost' | 'price'>): number {
  assignment.begin(cost.length, cost[0]!.length, price)
  for (const [row, costs] of cost.entries())
    for (const [column, each] of costs.entries()) assignment.allow(row, column, each)
  assignment.solve()
  const used = new Set<number>()
  return cost.reduce((sum, costs, row) => {
    const column = assignment.columnOf[row]!
    if (column < 0) return sum + price
    if (used.has(column) || assignment.rowOf[column] !== row) return Number.NaN
    used.add(column)
    return sum + costs[column]!
  }, 0)
}

/** The least cost by trying everything. */
function leastOf(cost: readonly (readonly number[])[], price: number, row = 0, used = 0): number {
  if (row === cost.length) return 0
  let least = price + leastOf(cost, price, row + 1, used)
  for (const [column, each] of cost[row]!.entries())
    if ((used & (1 << column)) === 0)
      least = Math.min(least, each + leastOf(cost, price, row + 1, used | (1 << column)))
  return least
}

t.test('finds the least cost that SciPy finds', (t) => {
  const used = new Assignment()
  for (const problem of assignments)
    for (const assignment of [used, new Assignment()])
      t.ok(Math.abs(costFound(assignment, problem) - problem.least) < 1e-9, `${problem.cost.length} rows`)
  t.end()
})

t.test('finds the least cost of all there are, costs below zero and ties included', (t) => {
  const random = seededRandom(5)
  const assignment = new Assignment()
  for (let trial = 0; trial < 400; trial++) {
    const rows = 1 + Math.floor(random.next() * 5)
    const columns = 1 + Math.floor(random.next() * 5)
    const price = Math.round(random.next() * 6) / 10
    const cost = Array.from({ length: rows }, () =>
      Array.from({ length: columns }, () => Math.round(random.next() * 20 - 6) / 10),
    )
    const found = costFound(assignment, { cost, price })
    const least = leastOf(cost, price)
    if (Math.abs(found - least) > 1e-9) t.fail(`${JSON.stringify(cost)} at ${price}: ${found}, not ${least}`)
  }
  t.pass('400 problems')
  t.end()
})

t.test('nothing to assign is no problem', (t) => {
  const assignment = new Assignment()
  assignment.begin(2, 0, 1)
  assignment.solve()
  t.same([...assignment.columnOf.subarray(0, 2)], [-1, -1])
  t.end()
})
