import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { configReference } from '../../src/config/reference.js'
import { projectRoot } from '../helpers/paths.js'

t.test('config/README.md is the printed reference', (t) => {
  const path = join(projectRoot, 'config', 'README.md')
  t.equal(
    readFileSync(path, 'utf8'),
    configReference(),
    'run: yolo-edge check-config --reference > config/README.md',
  )
  t.end()
})

t.test('the example of zones and lines is one that loads', (t) => {
  const [, behind = ''] = configReference().split('### Zones, lines, masks, filters\n\n')
  const text = behind.slice(0, behind.indexOf('\n\n')).replaceAll(/^ {4}/gm, '')
  const file = join(t.testdir({ 'device.yaml': text }), 'device.yaml')
  const [camera] = loadConfig({ file, env: {} }).cameras
  t.match(camera, {
    name: 'belt',
    scene: {
      zones: [{ name: 'dock', classes: ['person', 'truck'], dwellMs: 2000 }],
      lines: [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }],
      filters: [{ class: 'person', minScore: 0.5 }],
    },
  })
  t.equal(camera?.scene?.masks.length, 1)
  t.end()
})

t.test('every setting names its environment variable', (t) => {
  t.match(configReference(), /`YOLO_EDGE_BROKER_URL`/)
  t.notMatch(configReference(), /undefined/)
  t.end()
})
