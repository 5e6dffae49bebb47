/** An agent whose files go bad on its disk. */

import { readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import { AgentLab, labModel } from '../helpers/agent-lab.js'
import { projectRoot } from '../helpers/paths.js'

const secondModel = join(projectRoot, 'models', 'parts', 'parts-int8.onnx')

async function labOf(t: Test): Promise<AgentLab> {
  const lab = await AgentLab.start({ source: 'synthetic#fps=20' })
  t.teardown(() => lab.stop())
  await lab.publish('1.0.0')
  await lab.wish('1.0.0')
  await lab.startAgent()
  await lab.untilServing('1.0.0')
  return lab
}

/** Where the file of `path` lies in the store of the device. */
function blobOf(lab: AgentLab, path: string): string {
  return join(lab.stateFolder, 'blobs', sha256Of(readFileSync(path)))
}

t.test('one flipped bit, with size and times as they were, is found at the start and mended', async (t) => {
  const lab = await labOf(t)
  await lab.stopAgent()
  const path = blobOf(lab, labModel)
  const { atime, mtime } = statSync(path)
  const bytes = readFileSync(path)
  bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 4
  writeFileSync(path, bytes)
  utimesSync(path, atime, mtime)
  const before = lab.observed.frames
  await lab.startAgent()
  await lab.until('frames again', ({ frames }) => frames > before + 3)
  await lab.untilServing('1.0.0')
  t.same(readFileSync(path), readFileSync(labModel), 'the file is the one that was published')
  t.ok(lab.observed.reports.some(({ restoring }) => restoring?.error.code === 'integrity.digest_mismatch'))
  t.equal(lab.observed.reported?.restoring, undefined)
})

t.test('the model before serves meanwhile, and is reported as what serves', async (t) => {
  const lab = await labOf(t)
  await lab.publish('2.0.0', [secondModel])
  await lab.wish('2.0.0')
  await lab.untilServing('2.0.0')
  await lab.stopAgent()
  truncateSync(blobOf(lab, secondModel), 1000)
  lab.observed.reports.length = 0
  await lab.startAgent()
  await lab.until('the second model again', ({ reports }) =>
    reports.some(({ active, restoring }) => active?.version === '2.0.0' && restoring === undefined),
  )
  const meanwhile = lab.observed.reports.find(({ active }) => active?.version === '1.0.0')
  t.match(meanwhile, { restoring: { version: '2.0.0', error: { code: 'integrity.digest_mismatch' } } })
  t.equal(meanwhile?.previous, undefined)
})
