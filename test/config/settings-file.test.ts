/** A file of settings that is changed in places: the rest stays as a person wrote it. */

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { changedSettings, ownerOf, writeSettings } from '../../src/config/settings-file.js'

t.test('places are changed, added and taken out; comments stay', (t) => {
  const file = join(t.testdir(), 'device.yaml')
  t.equal(changedSettings(file, [[['device', 'id'], 'a']]), 'device:\n  id: a\n')
  writeFileSync(file, '# first\nbroker:\n  url: mqtt://a # near\n  urls: [mqtt://b]\n')
  const text = changedSettings(file, [
    [['broker', 'url'], 'mqtt://c'],
    [['broker', 'urls'], undefined],
    [['log', 'level'], undefined],
    [['cameras'], [{ name: 'x', source: 'y' }]],
  ])
  t.equal(text, '# first\nbroker:\n  url: mqtt://c # near\ncameras:\n  - name: x\n    source: y\n')
  writeFileSync(file, '# nothing but this\n')
  t.match(changedSettings(file, [[['device', 'id'], 'a']]), /device:\n {2}id: a/)
  t.end()
})

t.test('only its owner reads it: whoever owned it, or the user of the service', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'device.yaml')
  await writeSettings(file, 'log: { level: warn }\n')
  t.equal(readFileSync(file, 'utf8'), 'log: { level: warn }\n')
  t.equal(statSync(file).mode & 0o777, 0o600)
  const accounts = join(folder, 'passwd')
  writeFileSync(accounts, 'root:x:0:0::/root:/bin/sh\nyolo-edge:x:991:992::/var/lib/yolo-edge:/bin/false\n')
  const expected = process.getuid?.() === 0 ? { uid: 991, gid: 992 } : undefined
  t.same(ownerOf(join(folder, 'new.yaml'), accounts), expected)
  t.equal(ownerOf(join(folder, 'new.yaml'), join(folder, 'absent')), undefined)
})
