import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { updaterOptionsOf } from '../../../src/agent/updater-options.js'
import { machineLines, machineRow } from '../../../src/cli/selection/variant-table.js'
import { loadConfig } from '../../../src/config/load.js'
import { detectHardware } from '../../../src/hardware/detect-hardware.js'
import { boardBundle, boardProviders, boardRunners } from '../../helpers/board-bundle.js'
import { boardNames, layOutBoard } from '../../helpers/boards.js'
import { fixture } from '../../helpers/paths.js'

const { selection } = updaterOptionsOf(loadConfig({ env: {} }))
const golden = fixture('boards', 'variants.txt')

t.test('every board against a bundle: what it measures in which order, and why not the rest', async (t) => {
  const lines: string[] = []
  for (const board of boardNames) {
    const hardware = await detectHardware({ root: layOutBoard(board, t.testdir()) })
    const software = {
      providers: boardProviders[board] ?? ['cpu'],
      runners: boardRunners[board] ?? [],
    }
    const row = machineRow(hardware, software, boardBundle, selection)
    t.same(
      [...row.eligible, ...row.refused.map(({ variant }) => variant)].sort(),
      boardBundle.map(({ id }) => id).sort(),
      `${board}: each variant once`,
    )
    for (const { reason } of row.refused) t.ok(reason.length > 10)
    lines.push(...machineLines(row))
  }
  const text = `${lines.join('\n')}\n`
  if (process.env['UPDATE_BOARDS'] === '1') writeFileSync(golden, text)
  t.equal(text, readFileSync(golden, 'utf8'))
})

t.test('what the machine cannot do decides, and is named', async (t) => {
  const rowOf = async (board: string) =>
    machineRow(
      await detectHardware({ root: layOutBoard(board, t.testdir({})) }),
      { providers: ['cpu'], runners: [] },
      boardBundle,
      selection,
    )
  const reasonOf = (row: Awaited<ReturnType<typeof rowOf>>, id: string): string | undefined =>
    row.refused.find(({ variant }) => variant === id)?.reason
  const withVnni = await rowOf('x86-n100')
  const withoutVnni = await rowOf('x86-j4125')
  const order = (row: Awaited<ReturnType<typeof rowOf>>): readonly string[] =>
    row.eligible.filter((id) => id.includes('640'))
  t.equal(order(withVnni)[0], 'int8-x64-vnni-640')
  t.equal(order(withoutVnni)[0], 'int8-x64-640')
  t.match(reasonOf(withoutVnni, 'int8-x64-vnni-640'), /int8 for x64-vnni; fitting here: x64/)
  t.match(reasonOf(await rowOf('pi-5'), 'hef-hailo8-640'), /hef files cannot be loaded here/)
  t.match(reasonOf(await rowOf('pi-5'), 'fp16-tensorrt-640'), /needs tensorrt or cuda; proven here: cpu/)
})
