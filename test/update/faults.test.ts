/** A sample of the fault tests; `npm run test:faults` plays them all. */

import t from 'tap'
import { coursesOfTable } from '../faults/courses.js'
import { faultFleet } from '../faults/device-run.js'
import { changesOfJournalWrite, diskWithFirstVersion } from '../faults/fault-case.js'
import { firstFaults, playMatrix } from '../faults/fault-matrix.js'
import { playKilledProcesses } from '../faults/killed-processes.js'
import { playPowerCuts } from '../faults/power-cuts.js'

t.test('the matrix has every row, every point of a write, and more than 300 first faults', async (t) => {
  const fleet = faultFleet()
  const changes = await changesOfJournalWrite(await diskWithFirstVersion(fleet), fleet)
  t.equal(changes, 6, 'create, truncate, write, sync, rename, sync of the folder')
  t.equal(firstFaults(changes).length, coursesOfTable().length * 2 * (changes + 1))
  t.ok(firstFaults(changes).length > 300)
})

t.test(
  'killed or cut at a write of the journal, once or twice, a device ends in a correct state',
  async (t) => {
    // Coprime to the points and kinds of a row: the sample has every row and varies the points.
    const { cases, failures } = await playMatrix(13, () => undefined)
    t.same(failures, [])
    t.ok(cases > 60, `${cases} cases`)
  },
)

t.test('no committed model is lost and no corrupt one is served over random power cuts', async (t) => {
  const { failures, cuts } = await playPowerCuts(40)
  t.same(failures, [])
  t.ok(cuts > 40, `${cuts} power cuts`)
})

t.test('a process killed with SIGKILL goes on where the disk says', async (t) => {
  const { failures } = await playKilledProcesses(11, 5)
  t.same(failures, [])
})
