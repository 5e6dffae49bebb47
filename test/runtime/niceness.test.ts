import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { openDetector } from '../../src/runtime/detector.js'
import { ReferenceLoad } from '../../src/runtime/reference-load.js'
import { defaultNiceness, type SessionOptions } from '../../src/runtime/session-options.js'
import { tinyDetector } from '../helpers/tiny-detector.js'

const skip = process.platform === 'linux' ? false : 'only Linux gives each thread a priority of its own'

/** How many threads of this process have each niceness. */
function threadsByNiceness(): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (const thread of readdirSync('/proc/self/task')) {
    // Behind the name, which is in brackets: state is field 3, niceness field 19.
    const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const niceness = Number(fields[19 - 3])
    counts.set(niceness, (counts.get(niceness) ?? 0) + 1)
  }
  return counts
}

const own = threadsByNiceness()
const base = [...own.keys()][0] ?? 0

/** Threads of each niceness that `options` add. */
async function added(options: SessionOptions): Promise<ReadonlyMap<number, number>> {
  const before = threadsByNiceness()
  const detector = await openDetector(tinyDetector(), { intraOpThreads: 3, ...options })
  const after = threadsByNiceness()
  await detector.close()
  return new Map([...after].map(([niceness, count]) => [niceness, count - (before.get(niceness) ?? 0)]))
}

t.test(
  'the threads of a session stand behind those of the program, by as much as is asked',
  { skip },
  async (t) => {
    const most = Math.max(base, 12)
    t.ok((await added({ niceness: most })).get(most)! >= 3, 'the session and the threads that compute for it')
    const usual = Math.max(base, defaultNiceness)
    t.ok((await added({})).get(usual)! >= 3, 'by five unless told')
    t.equal(threadsByNiceness().get(base) !== undefined, true, 'the program itself keeps its priority')
  },
)

t.test('the fixed work has the priority of what it is compared with', { skip }, async (t) => {
  const niceness = Math.max(base, 13)
  const reference = await ReferenceLoad.open(niceness)
  t.equal(threadsByNiceness().get(niceness), 1)
  await reference.close()
})
