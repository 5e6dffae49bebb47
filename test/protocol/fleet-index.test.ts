import t from 'tap'
import {
  deviceParts,
  devicePartOf,
  encodeIndexPart,
  isIndexPart,
  parseIndexPart,
  versionEntry,
  versionIn,
  wishEntry,
  wishTargetIn,
} from '../../src/protocol/fleet-index.js'

t.test('devices are spread over 64 parts by FNV-1a of their names', (t) => {
  t.equal(deviceParts.length, 64)
  // Published values: of nothing 0x811c9dc5, of "a" 0xe40c292c, of "foobar" 0xbf9cf968.
  t.equal(devicePartOf(''), `devices-${0x811c9dc5 % 64}`)
  t.equal(devicePartOf('a'), `devices-${0xe40c292c % 64}`)
  t.equal(devicePartOf('foobar'), `devices-${0xbf9cf968 % 64}`)
  const used = new Set(Array.from({ length: 1000 }, (_, index) => devicePartOf(`cam-${index}`)))
  t.equal(used.size, 64)
  t.end()
})

t.test('parts have names of their own', (t) => {
  for (const name of ['versions', 'wishes', 'devices-0', 'devices-63']) t.ok(isIndexPart(name), name)
  for (const name of ['devices-64', 'devices--1', 'version', '']) t.notOk(isIndexPart(name), name)
  t.end()
})

t.test('entries say which version, and whom', (t) => {
  t.same(versionIn(versionEntry({ model: 'parts', version: '1.2.3' })), { model: 'parts', version: '1.2.3' })
  for (const entry of ['', 'parts', 'parts 1.2', 'par ts 1.2.3', '-parts 1.2.3', 'parts 1.2.3 more'])
    t.equal(versionIn(entry), undefined, entry)
  for (const kind of ['channel', 'device'] as const)
    t.same(wishTargetIn(wishEntry({ kind, name: 'pi' })), { kind, name: 'pi' })
  for (const entry of ['', 'channel', 'group pi', 'device -pi', 'device pi more', 'channel '])
    t.equal(wishTargetIn(entry), undefined, entry)
  t.end()
})

t.test('a part comes back as it was written, with room for 20000 names', (t) => {
  const part = { writer: 'w', names: ['a 1.0.0', 'b 1.0.0'], added: ['b 1.0.0'], removed: [] }
  t.same(parseIndexPart(encodeIndexPart(part)), part)
  t.throws(() => encodeIndexPart({ ...part, names: ['two\nlines'] }), { code: 'protocol.payload_malformed' })
  t.throws(() => encodeIndexPart({ ...part, names: new Array<string>(1000).fill('n'.repeat(100)) }), {
    code: 'protocol.payload_oversized',
  })
  t.end()
})
