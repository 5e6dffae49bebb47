import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { findingLines } from '../../../src/cli/doctor/finding.js'
import { hardwareFindings } from '../../../src/cli/doctor/hardware-findings.js'
import { detectHardware } from '../../../src/hardware/detect-hardware.js'
import { boardNames, layOutBoard } from '../../helpers/boards.js'
import { fixture } from '../../helpers/paths.js'

t.test('what is said of each board', async (t) => {
  for (const board of boardNames) {
    const profile = await detectHardware({ root: layOutBoard(board, t.testdir()) })
    const found = `${findingLines(hardwareFindings(profile)).join('\n')}\n`
    const path = fixture('boards', `${board}.doctor.txt`)
    if (process.env['UPDATE_GOLDEN'] === '1' && !existsSync(path)) writeFileSync(path, found)
    t.equal(found, readFileSync(path, 'utf8'), board)
  }
})

t.test('an unknown and a 32-bit machine get the same lines, and the fault', async (t) => {
  const profile = await detectHardware({ root: t.testdir(), arch: 'arm' })
  const findings = hardwareFindings(profile)
  t.match(
    findings.find(({ subject }) => subject === 'processor'),
    { state: 'fault', remedy: /64-bit/ },
  )
  t.match(
    findings.map(({ subject }) => subject),
    ['board', 'system', 'processor', 'int8', 'memory', 'video', 'power mode', 'heat'],
  )
})
