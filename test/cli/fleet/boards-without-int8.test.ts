import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { boardLines, boardsWithoutInt8, withoutInt8 } from '../../../src/cli/fleet/boards-without-int8.js'
import { encodeInfo } from '../../../src/protocol/info.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { boardBundle } from '../../helpers/board-bundle.js'
import { boardInfo } from '../../helpers/board-info.js'
import { openConnection, startBroker } from '../../helpers/broker.js'

const folder = t.testdir()
const infoOf = (board: string, channel?: string): ReturnType<typeof boardInfo> =>
  boardInfo(board, mkdtempSync(join(folder, 'board-')), board, channel)
const variants = boardBundle.filter(({ kind }) => kind === 'onnx')
const onlyVnni = variants.filter(({ int8Target }) => int8Target === undefined || int8Target === 'x64-vnni')

t.test('a board has an int8 variant, or is told why it has none', async (t) => {
  for (const board of ['pi-4', 'pi-5', 'jetson-orin-nano', 'x86-n100', 'x86-j4125'])
    t.equal(withoutInt8(await infoOf(board), variants), undefined, board)
  const pi = await infoOf('pi-5')
  t.equal(withoutInt8(pi, onlyVnni), 'int8-x64-vnni-640: int8 for x64-vnni; fitting here: arm64, qdq')
  t.equal(withoutInt8(await infoOf('x86-n100'), onlyVnni), undefined, 'it has VNNI')
  t.match(withoutInt8(await infoOf('x86-j4125'), onlyVnni), /fitting here: x64$/)
  const float = variants.filter(({ precision }) => precision !== 'int8')
  t.equal(withoutInt8(pi, float), 'this version has no int8 variant')
  t.equal(
    withoutInt8({ ...pi, providers: [] }, onlyVnni),
    undefined,
    'nothing that runs ONNX: nothing to say',
  )
})

t.test('the boards of the channel are asked, and nobody where nobody is known', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const topics = topicsBelow('yolo-edge/v2')
  const fleet = { connection, topics }
  const channel = { kind: 'channel', name: 'stable' } as const
  t.same(await boardsWithoutInt8(fleet, channel, onlyVnni), [])
  const retained = { qos: 1, retain: true } as const
  for (const [device, board, follows] of [
    ['cam-1', 'pi-5', 'stable'],
    ['cam-2', 'x86-n100', 'stable'],
    ['cam-3', 'pi-4', 'test'],
  ] as const)
    await connection.publish(
      topics.deviceState(device, 'info'),
      encodeInfo(await infoOf(board, follows)),
      retained,
    )
  await connection.publish(topics.deviceState('cam-4', 'info'), Buffer.from('from another age'), retained)
  const found = await boardsWithoutInt8(fleet, channel, onlyVnni)
  t.match(found, [{ device: 'cam-1', board: /^Raspberry Pi 5/ }])
  t.equal(found.length, 1)
  t.match(boardLines(found), [/^no int8 variant for cam-1 \(Raspberry Pi 5 .*\): int8-x64-vnni-640: /])
  t.same(await boardsWithoutInt8(fleet, channel, variants), [])
  t.match(await boardsWithoutInt8(fleet, { kind: 'device', name: 'cam-3' }, onlyVnni), [{ device: 'cam-3' }])
  const many = Array.from({ length: 12 }, (_, index) => ({ ...found[0]!, device: `cam-${index}` }))
  t.equal(boardLines(many).at(-1), 'and for 2 more boards of the channel')
})
