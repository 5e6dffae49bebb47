/** The process of one probe: takes an order, answers, ends. Invariant: it does not outlive the agent. */

import { type ProbeOrder, probeProvider } from './probe-provider.js'
import { timeProvider } from './time-provider.js'

/** What a probe process can be asked: whether a provider works, or how long it takes. */
export interface ProbeTask {
  readonly task: 'prove' | 'time'
  readonly order: ProbeOrder
}

process.once('disconnect', () => {
  process.kill(process.pid, 'SIGKILL')
})
process.once('message', ({ task, order }: ProbeTask) => {
  void (task === 'prove' ? probeProvider(order) : timeProvider(order)).then((answer) => {
    process.send!(answer, undefined, {}, () => {
      process.removeAllListeners('disconnect')
      process.disconnect()
    })
  })
})
