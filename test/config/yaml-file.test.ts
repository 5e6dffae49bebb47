import { join } from 'node:path'
import t from 'tap'
import { readYamlMap } from '../../src/config/yaml-file.js'

t.test('a map comes back as it is written, an empty file as an empty map', (t) => {
  const folder = t.testdir({ 'a.yaml': 'prune:\n  macs: 0.8 # most of it\n', 'empty.yaml': '' })
  t.same(readYamlMap(join(folder, 'a.yaml'), 'the plan', 'prune:'), { prune: { macs: 0.8 } })
  t.same(readYamlMap(join(folder, 'empty.yaml'), 'the plan', 'prune:'), {})
  t.end()
})

t.test('anything else is refused with what it is, its name, and an example', (t) => {
  const folder = t.testdir({ 'list.yaml': '- 1\n', 'broken.yaml': 'a: [' })
  const code = 'config.file_unreadable'
  t.throws(() => readYamlMap(join(folder, 'list.yaml'), 'the plan', 'prune:'), {
    code,
    message: /^the plan .*list\.yaml should be a map of sections, for example "prune:"$/,
  })
  for (const name of ['broken.yaml', 'missing.yaml'])
    t.throws(() => readYamlMap(join(folder, name), 'the plan', 'prune:'), {
      code,
      message: /^cannot read the plan/,
    })
  t.end()
})
