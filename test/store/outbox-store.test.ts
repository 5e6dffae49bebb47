import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openStore } from '../../src/store/store.js'

const open = async (root: string, outboxLimitBytes = 100_000) =>
  (await openStore({ root, quota: { limitBytes: 1e6, reserveBytes: 0 }, outboxLimitBytes })).outbox

const texts = async (outbox: { peek(count: number): Promise<{ bytes: Uint8Array }[]> }, count = 100) =>
  (await outbox.peek(count)).map((message) => Buffer.from(message.bytes).toString())

t.test('messages come out in order, also after a restart, until they are removed', async (t) => {
  const root = t.testdir()
  const first = await open(root)
  await Promise.all(['a', 'b', 'c'].map((text) => first.append(Buffer.from(text))))
  t.same(await texts(first), ['a', 'b', 'c'])
  const second = await open(root)
  t.same(await texts(second, 2), ['a', 'b'])
  const [oldest] = await second.peek(1)
  await second.remove(oldest!.id)
  await second.remove(oldest!.id)
  await second.append(Buffer.from('d'))
  t.same(await texts(second), ['b', 'c', 'd'])
  t.equal(second.size, 3)
})

t.test('a full outbox drops the oldest and counts it', async (t) => {
  const outbox = await open(t.testdir(), 1000)
  for (let index = 0; index < 10; index++) await outbox.append(Buffer.alloc(200, String(index)))
  t.equal(outbox.size, 3)
  t.same(
    (await texts(outbox)).map((text) => text[0]),
    ['7', '8', '9'],
  )
  t.equal(outbox.dropped, 7)
})

t.test('a message over the whole limit is refused and drops nothing', async (t) => {
  const outbox = await open(t.testdir(), 1000)
  await outbox.append(Buffer.from('a'))
  await t.rejects(outbox.append(Buffer.alloc(1000)), { code: 'protocol.payload_oversized' })
  t.same(await texts(outbox), ['a'])
})

t.test('records that are torn or foreign are never sent', async (t) => {
  const root = t.testdir()
  const first = await open(root)
  for (const text of ['a', 'b', 'c']) await first.append(Buffer.from(text))
  const folder = join(root, 'outbox')
  const [one, two] = readdirSync(folder).sort()
  truncateSync(join(folder, one!), 40)
  writeFileSync(join(folder, two!), '')
  writeFileSync(join(folder, '../outbox/README'), 'x')
  writeFileSync(join(folder, '99'), 'x')
  const second = await open(root)
  t.same(await texts(second), ['c'])
  t.equal(second.dropped, 2)
})
