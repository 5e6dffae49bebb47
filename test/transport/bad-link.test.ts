import t from 'tap'
import { downloadOverBadLink, requireWholeAndFrugal } from '../helpers/bad-link.js'
import { skipWithoutMosquitto } from '../helpers/mosquitto.js'

// tap ends a subtest after 30 s unless told otherwise.
t.setTimeout(300_000)
const skip = skipWithoutMosquitto()

t.test('a broker that is killed again and again', { skip, timeout: 120_000 }, async (t) => {
  const figures = await downloadOverBadLink(t, {
    sizeBytes: 400_000,
    chunkSizeBytes: 10_000,
    paceBytesPerSecond: 150_000,
    killEveryMs: 700,
  })
  requireWholeAndFrugal(t, figures)
  t.ok(figures.kills >= 2 && figures.reconnects >= 1, `${figures.kills} kills`)
})

t.test('a link that loses three messages of ten', { skip, timeout: 120_000 }, async (t) => {
  const figures = await downloadOverBadLink(t, {
    sizeBytes: 400_000,
    chunkSizeBytes: 10_000,
    lostShare: 0.3,
    chunkTimeoutMs: 300,
  })
  requireWholeAndFrugal(t, figures)
  t.ok(figures.lostMessages >= 5 && figures.repeatedRequests >= 5, `${figures.lostMessages} messages lost`)
})

t.test(
  'a slow link, on which a window takes longer than the time after which a chunk is asked for again; and a restart',
  { skip, timeout: 120_000 },
  async (t) => {
    const figures = await downloadOverBadLink(t, {
      sizeBytes: 192_000,
      chunkSizeBytes: 6_000,
      bytesPerSecond: 64_000,
      chunkTimeoutMs: 500,
      restartAt: 0.5,
    })
    requireWholeAndFrugal(t, figures)
    t.equal(figures.repeatedRequests, 0, 'slow is not lost')
  },
)
