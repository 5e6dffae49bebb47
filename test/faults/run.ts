/**
 * Every fault test in full: the matrix, random power cuts, killed processes. Exit status 1 when a case fails.
 * Run with: npm run test:faults
 */

import { playDamages } from './damaged-files.js'
import { playMatrix, type MatrixResult } from './fault-matrix.js'
import { playKilledProcesses } from './killed-processes.js'
import { playPowerCuts } from './power-cuts.js'

const powerCutSchedules = 1000
/** Changes that one write of the journal makes in a file that exists: truncate, write, sync, rename, sync of the folder. */
const journalChanges = 5

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

const failed: MatrixResult['failures'][] = []

async function part(
  name: string,
  play: () => Promise<MatrixResult & { readonly cuts?: number }>,
): Promise<void> {
  const startMs = performance.now()
  const { cases, failures, cuts } = await play()
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  for (const failure of failures) say(`FAILED ${failure.name}\n       ${failure.problems.join('\n       ')}`)
  const cutsSaid = cuts === undefined ? '' : `, ${cuts} power cuts`
  say(`${name}: ${cases} cases${cutsSaid}, ${failures.length} failed, ${seconds} s`)
  failed.push(failures)
}

await part('fault matrix', () =>
  playMatrix(1, (row, count, bad) => {
    say(`${bad === 0 ? 'ok    ' : 'FAILED'} ${String(count).padStart(4)} cases  ${row}`)
  }),
)
await part('damaged files', () =>
  playDamages(1, (stage, count, bad) => {
    say(`${bad === 0 ? 'ok    ' : 'FAILED'} ${String(count).padStart(4)} cases  ${stage}`)
  }),
)
await part('random power cuts', () => playPowerCuts(powerCutSchedules))
await part('processes killed with SIGKILL', () => playKilledProcesses(1, journalChanges))
process.exitCode = failed.flat().length === 0 ? 0 : 1
