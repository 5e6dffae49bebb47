/**
 * How many small faults the unit tests of a folder notice.
 *
 *     npm run test:mutants                        a sample: one mutant in ten
 *     npm run test:mutants -- --each 1            all of them (hours)
 *     npm run test:mutants -- --only src/store    the parts whose path begins so
 *     npm run test:mutants -- --jobs 1            one test at a time
 *
 * Each test runs once as it is, for its time and for what it runs; then each mutant meets the tests that run its place, the
 * quickest first, until one fails or does not end. A test that takes long is left out, so that what it alone would notice
 * counts as survived. Which mutants belong to the sample follows from their place and change, not from a draw.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { sha256Of } from '../../src/base/digest.js'
import { inParallel } from '../../src/base/in-parallel.js'
import { table } from '../../src/cli/output.js'
import { projectRoot } from '../helpers/paths.js'
import { type Coverage, countAt, readCoverage } from './coverage.js'
import { applied, type Mutant, mutantsOf } from './mutate.js'

/** What is mutated, and the folder with its unit tests. */
const parts = [
  { source: 'src/update', tests: 'test/update' },
  { source: 'src/protocol', tests: 'test/protocol' },
  { source: 'src/store', tests: 'test/store' },
  { source: 'src/yolo/decode', tests: 'test/yolo' },
] as const

const { values } = parseArgs({
  options: {
    each: { type: 'string', default: '10' },
    only: { type: 'string', default: 'src' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    'slowest-ms': { type: 'string', default: '45000' },
  },
})
const [each, jobs, slowestMs] = [Number(values.each), Number(values.jobs), Number(values['slowest-ms'])]

interface TestRun {
  readonly path: string
  readonly tookMs: number
  readonly coverage: Coverage
}

interface Place {
  /** Of the compiled module. */
  readonly url: string
  readonly text: string
  readonly mutant: Mutant
  /** Source file and line. */
  readonly where: string
}

type Fate = 'killed' | 'survived' | 'not run'

const workFolder = mkdtempSync(join(tmpdir(), 'yolo-edge-mutants-'))
process.once('exit', () => {
  rmSync(workFolder, { recursive: true, force: true })
})

function filesBelow(path: string, ending: string): readonly string[] {
  const compiled = join(projectRoot, 'dist', path)
  const folder = statSync(compiled, { throwIfNoEntry: false })?.isDirectory() === true
  const names = folder
    ? readdirSync(compiled, { recursive: true }).map((name) => join(compiled, String(name)))
    : [`${compiled}.js`]
  return names.filter((name) => name.endsWith(ending)).sort()
}

/** Runs a test; true where it passes. Ends it, and everything that it started, after `limitMs`. */
function passes(
  test: string,
  environment: NodeJS.ProcessEnv,
  limitMs: number,
  flags: readonly string[] = [],
): Promise<boolean> {
  const child = spawn(process.execPath, [...flags, test], {
    cwd: projectRoot,
    env: { ...process.env, TAP_BAIL: '1', ...environment },
    stdio: 'ignore',
    detached: true,
  })
  const timer = setTimeout(() => {
    process.kill(-child.pid!, 'SIGKILL')
  }, limitMs)
  return new Promise((resolve) => {
    child.once('close', (status) => {
      clearTimeout(timer)
      resolve(status === 0)
    })
  })
}

/** Runs `test` as it is, a second time where the machine was too busy for it; undefined where it fails: then it notices nothing. */
async function baseline(test: string): Promise<TestRun | undefined> {
  for (let attempt = 1; ; attempt++) {
    const folder = mkdtempSync(join(workFolder, 'coverage-'))
    const startMs = performance.now()
    const isGood = await passes(test, { NODE_V8_COVERAGE: folder }, 10 * slowestMs)
    const tookMs = performance.now() - startMs
    const coverage = readCoverage(folder)
    rmSync(folder, { recursive: true })
    if (isGood || tookMs >= slowestMs) return { path: test, tookMs, coverage }
    if (attempt === 1) continue
    console.error(`left out, for it fails as it is: ${relative(projectRoot, test)}`)
    return undefined
  }
}

/** The mutants of a compiled module that belong to the sample. */
function placesIn(path: string): readonly Place[] {
  const text = readFileSync(path, 'utf8')
  const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')) as SourceMapPayload)
  const source = relative(join(projectRoot, 'dist'), path).replace(/\.js$/, '.ts')
  const isSampled = ({ start, end, put }: Mutant): boolean =>
    parseInt(sha256Of(`${source} ${text.slice(start - 20, end + 20)} ${put}`).slice(0, 8), 16) % each === 0
  return mutantsOf(text)
    .filter(isSampled)
    .map((mutant) => {
      const lines = text.slice(0, mutant.start).split('\n')
      const entry = map.findEntry(lines.length - 1, lines.at(-1)!.length)
      const line = 'originalLine' in entry ? entry.originalLine + 1 : lines.length
      return { url: pathToFileURL(path).href, text, mutant, where: `${source}:${line}` }
    })
}

async function fateOf({ url, text, mutant }: Place, tests: readonly TestRun[]): Promise<Fate> {
  const meeting = tests.filter(({ coverage }) => countAt(coverage, url, mutant.start) > 0)
  if (meeting.length === 0) return 'not run'
  const file = join(mkdtempSync(join(workFolder, 'mutant-')), 'mutant.json')
  writeFileSync(file, JSON.stringify({ url, source: applied(text, mutant) }))
  const loader = pathToFileURL(join(projectRoot, 'dist', 'test', 'mutants', 'loader.js')).href
  const environment = { MUTANT: file, NODE_OPTIONS: `--import ${loader}` }
  for (const { path, tookMs } of meeting)
    if (!(await passes(path, environment, 5000 + 4 * tookMs))) return 'killed'
  return 'survived'
}

const rows: string[][] = []
const survivors: string[] = []
for (const { source, tests } of parts) {
  const modules = filesBelow(source, '.js').filter((path) =>
    relative(join(projectRoot, 'dist'), path).startsWith(values.only),
  )
  if (modules.length === 0) continue
  const runs = (await inParallel(filesBelow(tests, '.test.js'), jobs, baseline)).filter(
    (run) => run !== undefined,
  )
  const quick = runs.filter(({ tookMs }) => tookMs < slowestMs).sort((a, b) => a.tookMs - b.tookMs)
  for (const { path } of runs.filter(({ tookMs }) => tookMs >= slowestMs))
    console.error(`left out, for it takes too long: ${relative(projectRoot, path)}`)
  const places = modules.flatMap(placesIn)
  let done = 0
  const fates = await inParallel(places, jobs, async (place) => {
    const fate = await fateOf(place, quick)
    done++
    if (fate !== 'killed') {
      const { text, mutant } = place
      const line = `${place.where} ${fate}: ${text.slice(mutant.start, mutant.end).replaceAll(/\s+/g, ' ').slice(0, 80)} -> ${mutant.put.slice(0, 60)}`
      survivors.push(line)
      console.error(line)
    }
    if (done % 20 === 0) console.error(`${source}: ${done} of ${places.length}`)
    return fate
  })
  const count = (fate: Fate): number => fates.filter((each) => each === fate).length
  const score = `${((100 * count('killed')) / fates.length).toFixed(1)} %`
  rows.push([
    source,
    String(fates.length),
    ...(['killed', 'survived', 'not run'] as const).map((fate) => String(count(fate))),
    score,
  ])
}
const sum = (column: number): number => rows.reduce((total, row) => total + Number(row[column]), 0)
const total = ['all', ...[1, 2, 3, 4].map((column) => String(sum(column)))]
rows.push([...total, `${((100 * sum(2)) / sum(1)).toFixed(1)} %`])
console.log(`${survivors.sort().join('\n')}\n`)
console.log(`one mutant in ${each}`)
console.log(table([['source', 'mutants', 'killed', 'survived', 'not run', 'score'], ...rows]))
