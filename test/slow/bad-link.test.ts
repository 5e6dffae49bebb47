import t from 'tap'
import { downloadOverBadLink, requireWholeAndFrugal } from '../helpers/bad-link.js'
import { skipWithoutMosquitto } from '../helpers/mosquitto.js'

/** A model as the peers have it, on the grid of the product. */
const model = { sizeBytes: 12_800_000, chunkSizeBytes: 61_440 }
// tap ends a subtest after 30 s unless told otherwise.
const options = { skip: skipWithoutMosquitto(), timeout: 1_200_000 }
t.setTimeout(1_800_000)

t.test('12.8 MB from a broker that is killed every 5 s', options, async (t) => {
  const figures = await downloadOverBadLink(t, { ...model, paceBytesPerSecond: 400_000, killEveryMs: 5_000 })
  requireWholeAndFrugal(t, figures)
  t.ok(figures.kills >= 5, `${figures.kills} kills`)
})

t.test('12.8 MB over a link that loses three messages of ten', options, async (t) => {
  const figures = await downloadOverBadLink(t, { ...model, lostShare: 0.3 })
  requireWholeAndFrugal(t, figures)
  t.ok(figures.lostMessages > figures.chunks / 5, `${figures.lostMessages} messages lost`)
})

t.test('12.8 MB over a link of 64 kB a second, with a restart in the middle', options, async (t) => {
  const figures = await downloadOverBadLink(t, { ...model, bytesPerSecond: 64_000, restartAt: 0.5 })
  requireWholeAndFrugal(t, figures)
  t.equal(figures.repeatedRequests, 0, 'slow is not lost')
})
