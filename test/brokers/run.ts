/**
 * The conformance suite over every broker that packages of Debian, npm, Go and Maven bring; writes deploy/BROKERS.md.
 *
 *     npm run test:brokers [-- --only ID[,ID...]] [--cases CASE[,CASE...]] [--keep FOLDER]
 *
 * With --cases nothing is written: a row is a whole run.
 * Needs Linux and root (Debian's brokers run in roots of their own), debootstrap, go, mvn and java; fetches packages on its
 * first run into FOLDER (default ~/.cache/yolo-edge/brokers). Exit status 1 when a broker that worked before does not.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokerKinds, type BrokerKind } from './catalog.js'
import { type CaseId, type CaseOutcome, caseTitles, runCases } from './conformance.js'
import { Lab } from './lab.js'
import { type BrokerRow, readRows, writeRows } from './results.js'
import { Software } from './software.js'

const { values } = parseArgs({
  options: { only: { type: 'string' }, cases: { type: 'string' }, keep: { type: 'string' } },
})
const order = brokerKinds.map(({ id }) => id)
const wanted = values.only?.split(',') ?? order
const unknown = wanted.filter((id) => !order.includes(id))
if (unknown.length > 0) {
  console.error(`no broker ${unknown.join(', ')}; there are ${order.join(', ')}`)
  process.exit(2)
}
const wantedCases = values.cases?.split(',')
const unknownCases = wantedCases?.filter((id) => !Object.hasOwn(caseTitles, id)) ?? []
if (unknownCases.length > 0) {
  console.error(`no case ${unknownCases.join(', ')}; there are ${Object.keys(caseTitles).join(', ')}`)
  process.exit(2)
}
const software = new Software(values.keep ?? join(homedir(), '.cache', 'yolo-edge', 'brokers'))

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function tryKind(kind: BrokerKind): Promise<BrokerRow> {
  const { id, name, version, source, settings } = kind
  const row = { id, name, version, source, settings }
  const folder = mkdtempSync(join(tmpdir(), `yolo-edge-${id}-`))
  mkdirSync(join(folder, 'broker'))
  try {
    const broker = await kind.start(join(folder, 'broker'), software)
    const lab = new Lab(join(folder, 'lab'), broker.urls)
    try {
      const isWanted = (id: CaseId): boolean => wantedCases?.includes(id) ?? true
      const told = ({ id: caseId, passed, detail, seconds }: CaseOutcome): void => {
        say(`  ${passed ? 'yes' : 'NO '}  ${caseId.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${detail}`)
      }
      const cases = await runCases(lab, broker, told, isWanted)
      return { ...row, cases, residentBytes: broker.residentBytes() }
    } finally {
      await lab.close()
      await broker.stop()
    }
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.message : String(thrown)
    say(`  NO   ${problem}`)
    return { ...row, problem, cases: [], residentBytes: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

let rows = readRows()
for (const kind of brokerKinds) {
  if (!wanted.includes(kind.id)) continue
  say(`${kind.name} ${kind.version} (${kind.source})`)
  const before = rows.find(({ id }) => id === kind.id)
  const row = await tryKind(kind)
  if (wantedCases !== undefined) continue
  const lost = (before?.cases ?? []).filter(
    ({ id, passed }) => passed && row.cases.find((outcome) => outcome.id === id)?.passed !== true,
  )
  if (lost.length > 0) {
    say(`  worked before: ${lost.map(({ id }) => id).join(', ')}`)
    process.exitCode = 1
  }
  rows = [...rows.filter(({ id }) => id !== kind.id), row]
  writeRows(rows, order)
}
