import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../../helpers/paths.js'
import { runCommand } from '../../helpers/processes.js'
import { temporaryFolder } from '../../helpers/temporary-folder.js'

const own = (name: string): string => join(projectRoot, 'models', 'parts', name)

t.setTimeout(300_000)

t.test('two models side by side: accuracy with its interval, class by class, size and speed', async (t) => {
  const data = join(temporaryFolder(t), 'data')
  await runCommand(t, ['generate', data, '--train', '1', '--val', '24', '--golden', '1', '--seed', '9'])
  const given = ['compare', own('parts.onnx'), own('parts-pruned-int8.onnx'), '--val', data, '--rounds', '3']
  const { status, stdout, stderr } = await runCommand(t, [...given, '--json'])
  t.equal(status, 0, stderr)
  const result = JSON.parse(stdout) as {
    readonly models: readonly { readonly map: number; readonly size_bytes: number }[]
    readonly map: { readonly difference: number; readonly low: number; readonly high: number }
    readonly per_class: readonly { readonly name: string; readonly ap: readonly number[] }[]
  }
  const [first, second] = result.models
  t.ok(first!.map > 0.6, 'the own model finds its parts')
  t.ok(second!.size_bytes < first!.size_bytes / 2)
  const { difference, low, high } = result.map
  t.ok(Math.abs(difference - (second!.map - first!.map)) < 1e-9)
  t.ok(low <= difference && difference <= high)
  t.ok(result.per_class.length >= 4)
  const losses = result.per_class.map(({ ap }) => ap[1]! - ap[0]!)
  t.same(
    losses,
    losses.toSorted((a, b) => a - b),
    'the class that lost most comes first',
  )
  const text = await runCommand(t, given)
  t.match(text.stdout, /24 pictures, \d+ objects/)
  for (const { name } of result.per_class) t.match(text.stdout, name)
})

t.test('models that cannot be compared are refused', async (t) => {
  const folder = temporaryFolder(t)
  const refused = await runCommand(t, [
    ...['compare', own('parts.onnx'), join(projectRoot, 'models', 'parts', 'int8'), '--val', folder],
  ])
  t.match(refused, { status: 3, stderr: /model\.file_unreadable/ })
})
