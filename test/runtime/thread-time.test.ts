import t from 'tap'
import { openDetector } from '../../src/runtime/detector.js'
import { threadTimeMs } from '../../src/runtime/thread-time.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { plainFrame, tinyDetector } from '../helpers/tiny-detector.js'

const skip = process.platform === 'linux' ? false : 'only Linux counts the time of threads by their names'

t.test('the threads of a session are counted, those of another are not', { skip }, async (t) => {
  const burden = { side: 400, products: 20 }
  const busy = await openDetector(tinyDetector({ burden }), { intraOpThreads: 2 })
  const idle = await openDetector(tinyDetector(), { intraOpThreads: 1 })
  const [busyBefore, idleBefore] = [await busy.cpuMs?.(), await idle.cpuMs?.()]
  for (let run = 0; run < 10; run++) await busy.detect(plainFrame(32, 200), predictionOptions)
  const took = (await busy.cpuMs?.())! - busyBefore!
  const other = (await idle.cpuMs?.())! - idleBefore!
  t.ok(took > 10 * Math.max(1, other), `${took} ms beside ${other} ms`)
  await busy.close()
  await idle.close()
  t.equal(await threadTimeMs('no such name'), undefined)
})
