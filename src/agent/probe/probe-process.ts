/** The process of one probe: takes an order, answers, ends. Invariant: it does not outlive the agent. */

import { type ProbeOrder, probeProvider } from './probe-provider.js'

process.once('disconnect', () => {
  process.kill(process.pid, 'SIGKILL')
})
process.once('message', (order: ProbeOrder) => {
  void probeProvider(order).then((info) => {
    process.send!(info, undefined, {}, () => {
      process.removeAllListeners('disconnect')
      process.disconnect()
    })
  })
})
