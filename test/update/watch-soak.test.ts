/** The watch over a model that has just begun to serve: two windows of a second each, unless a case says otherwise. */

import t, { type Test } from 'tap'
import type { SoakWindow } from '../../src/update/ports.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { type Behaviour, measuredAs, TestDevice, testOptions } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

const quiet: SoakWindow = { frames: 100, errors: 0, latencyP95Ms: 20, agreement: 1 }
const slow: SoakWindow = { ...quiet, latencyP95Ms: 500 }

/** A device that is watched while it shows `windows`, one after the other. */
async function watched(t: Test, windows: readonly SoakWindow[]): Promise<TestDevice> {
  const fleet = new TestFleet()
  let seen = 0
  const behaviour: Behaviour = {
    measure: () => measuredAs(20, 0.5),
    soak: () => windows[seen++] ?? quiet,
  }
  const options = {
    ...testOptions,
    acceptance: { ...testOptions.acceptance, soakMs: 1000 * windows.length, soakWindowMs: 1000 },
  }
  fleet.publish(1)
  const device = await TestDevice.start({
    files: new LossyFileSystem(),
    root: '/store',
    fleet,
    behaviour,
    options,
  })
  t.teardown(() => device.stop())
  device.wish(fleet.wish(1))
  await device.settle()
  return device
}

for (const [what, windows, isKept] of [
  ['all windows quiet', [quiet, quiet, quiet], true],
  ['one slow window between others', [quiet, slow, quiet], true],
  ['slow windows that never follow each other', [slow, quiet, slow, quiet], true],
  ['two slow windows in a row', [slow, slow, quiet], false],
  ['the last window slow', [quiet, quiet, slow], false],
  ['two of 100 frames failed', [{ ...quiet, frames: 98, errors: 2 }, quiet], true],
  ['three of 100 frames failed', [{ ...quiet, frames: 97, errors: 3 }, quiet], false],
  [
    'no frame at all',
    [
      { ...slow, frames: 0 },
      { ...slow, frames: 0 },
    ],
    true,
  ],
] as const)
  t.test(`${what}: the model is ${isKept ? 'kept' : 'taken back'}`, async (t) => {
    const device = await watched(t, windows)
    t.equal(device.activeVersion, isKept ? '1.0.0' : undefined)
    t.same(device.errorCodes, isKept ? [] : ['deployment.soak_failed'])
    const reports = device.reports.filter(({ kind }) => kind === 'soak')
    t.equal(reports.length, isKept ? 1 : 0)
    const sum = (of: 'frames' | 'errors'): number => windows.reduce((total, each) => total + each[of], 0)
    if (isKept)
      t.match(reports[0], {
        version: '1.0.0',
        provider: 'cpu',
        periodMs: 1000 * windows.length,
        frames: sum('frames'),
        errors: sum('errors'),
        accuracy: { map: 0.5 },
      })
  })
