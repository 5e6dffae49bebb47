/**
 * Random schedules of power cuts: on a course drawn at random the power goes off after a random number of changes of the
 * disk, up to four times; what was not synced is lost or torn. Then everything works.
 */

import { type Random, seededRandom } from '../../src/base/random.js'
import type { LossyFileSystem } from '../helpers/lossy-fs.js'
import type { TestFleet } from '../helpers/test-fleet.js'
import { coursesOfTable } from './courses.js'
import { CourseState, faultFleet, faultRoot, startOnCourse } from './device-run.js'
import { diskWithFirstVersion, playToTheEnd, runUntilOff } from './fault-case.js'
import type { MatrixResult } from './fault-matrix.js'

const cutsMax = 4
/** More than any course makes: late cuts hit the device at rest and count as none. */
const changesMax = 250

async function playSchedule(
  disk: LossyFileSystem,
  fleet: TestFleet,
  random: Random,
): Promise<{ readonly course: string; readonly cuts: number; readonly problems: readonly string[] }> {
  const courses = coursesOfTable()
  const course = courses[random.integer(courses.length)]!
  const state = new CourseState(course)
  let files = disk.afterKill()
  const restart = (): ReturnType<typeof startOnCourse> =>
    startOnCourse({ files, root: faultRoot, fleet, state, onJournal: () => undefined })
  let cuts = 0
  for (let left = 1 + random.integer(cutsMax); left > 0; left--) {
    files.cutAfter = random.integer(changesMax)
    await runUntilOff(files, restart)
    if (files.isOff) cuts++
    files = files.afterPowerCut(random)
  }
  return { course: course.name, cuts, problems: await playToTheEnd(files, restart, course) }
}

/** Plays `count` schedules; `cuts` is how often the power really went off. */
export async function playPowerCuts(count: number): Promise<MatrixResult & { readonly cuts: number }> {
  const fleet = faultFleet()
  const disk = await diskWithFirstVersion(fleet)
  const failures: { name: string; problems: readonly string[] }[] = []
  let cuts = 0
  for (let seed = 0; seed < count; seed++) {
    const played = await playSchedule(disk, fleet, seededRandom(seed))
    cuts += played.cuts
    if (played.problems.length === 0) continue
    failures.push({ name: `schedule ${seed}, ${played.course}`, problems: played.problems })
  }
  return { cases: count, failures, cuts }
}
