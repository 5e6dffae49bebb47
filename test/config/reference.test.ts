import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
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

t.test('every setting names its environment variable', (t) => {
  t.match(configReference(), /`YOLO_EDGE_BROKER_URL`/)
  t.notMatch(configReference(), /undefined/)
  t.end()
})
