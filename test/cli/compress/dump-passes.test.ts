import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { passDump } from '../../../src/cli/compress/dump-passes.js'
import { projectRoot } from '../../helpers/paths.js'
import { runCommand } from '../../helpers/processes.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

const graph = tinyGraph({
  inputs: [value('x', 2)],
  nodes: [op('Relu', ['x'], ['y'])],
  outputs: [value('y', 2)],
})

t.test('graphs are numbered in their order, whatever the name of the pass', (t) => {
  const folder = join(t.testdir(), 'new', 'passes')
  const dump = passDump(folder)
  dump('source', graph)
  dump('input size 64x64', graph)
  t.same(readdirSync(folder).sort(), ['00-source.txt', '01-input-size-64x64.txt'])
  t.match(readFileSync(join(folder, '00-source.txt'), 'utf8'), /^y = Relu\(x\)$/m)
  const blocked = passDump(join(folder, '00-source.txt'))
  t.throws(
    () => {
      blocked('source', graph)
    },
    { code: 'resource.file_unwritable' },
  )
  t.end()
})

t.test('compress writes the graph after each pass', async (t) => {
  const folder = t.testdir()
  const model = join(projectRoot, 'models', 'parts', 'parts.onnx')
  const passes = join(folder, 'passes')
  const options = [model, '--out', join(folder, 'out'), '--dump-passes', passes]
  const { status, stderr } = await runCommand(t, ['compress', ...options])
  t.equal(status, 0, stderr)
  const names = readdirSync(passes).sort()
  t.equal(names[0], '00-source.txt')
  t.ok(names.length > 5)
  t.match(readFileSync(join(passes, names.at(-1)!), 'utf8'), /^input images: uint8/m)
})
