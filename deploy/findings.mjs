// `npm run findings`: runs findings/*.sh one after another and says which still holds.
// A script shows a surprise of outside software, and ends with another status than 0 where the surprise is gone; then what
// docs/BEHAVIOURS.md says of it, and what the product does about it, is looked at again. They download pinned packages,
// so no test and no continuous integration runs them.
// Invariant: every script ends, or is ended after its limit with everything that it started.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const limitMs = 600_000
const folder = process.env.FINDINGS ?? join(dirname(dirname(fileURLToPath(import.meta.url))), 'findings')
const asked = process.argv.slice(2).map((name) => basename(name, '.sh'))
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.sh'))
  .map((name) => basename(name, '.sh'))
  .sort()
const unknown = asked.find((name) => !names.includes(name))
if (unknown !== undefined) {
  console.error(`findings: ${unknown} is not known, expected some of ${names.join(', ')}`)
  process.exit(2)
}

function run(name) {
  return new Promise((resolve) => {
    // A group of its own, so that a limit reaches what the script has started.
    const child = spawn('sh', [join(folder, `${name}.sh`)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text))
    let isLate = false
    const limit = setTimeout(() => {
      isLate = true
      process.kill(-child.pid, 'SIGKILL')
    }, limitMs)
    child.once('close', (status) => {
      clearTimeout(limit)
      resolve({ holds: status === 0, isLate, output })
    })
  })
}

const changed = []
for (const name of asked.length > 0 ? asked : names) {
  const startedMs = performance.now()
  const { holds, isLate, output } = await run(name)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
  const verdict = holds ? 'holds' : isLate ? 'was ended at its limit' : 'DOES NOT HOLD'
  console.log(`${name}: ${verdict} (${seconds} s)`)
  console.log(output.trimEnd().replaceAll(/^/gm, '    '))
  if (!holds) changed.push(name)
}
const count = asked.length > 0 ? asked.length : names.length
console.log(
  `${count - changed.length} of ${count} hold${changed.length === 0 ? '' : `; look at ${changed.join(', ')}`}`,
)
process.exitCode = changed.length === 0 ? 0 : 1
