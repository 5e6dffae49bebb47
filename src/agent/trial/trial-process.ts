/**
 * The process of a trial: started by run-trial-process, measures one model, tells what it found, and ends.
 * Invariant: when memory runs out, this process is the one that the kernel takes; it does not outlive the agent.
 */

import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { systemClock } from '../../base/clock.js'
import { messageOf, wrapError } from '../../base/errors.js'
import { measureModel } from './measure-model.js'
import type { TrialMessage, TrialOrder } from './messages.js'

process.once('message', (order: TrialOrder) => {
  void serve(order)
})
process.once('disconnect', () => {
  // The agent is gone. A session in the middle of a run cannot be ended in an orderly way.
  process.kill(process.pid, 'SIGKILL')
})

async function serve(order: TrialOrder): Promise<void> {
  giveWay(order)
  const message = await measure(order)
  process.send!(message, undefined, {}, () => {
    process.removeAllListeners('disconnect')
    process.disconnect()
  })
}

async function measure(order: TrialOrder): Promise<TrialMessage> {
  try {
    const findings = await measureModel(order, systemClock, (message) => {
      process.send!(message)
    })
    return { kind: 'measured', findings }
  } catch (thrown) {
    const { code, message } = wrapError(thrown, 'deployment.trial_failed', 'cannot measure the model')
    return { kind: 'failed', error: { code, message } }
  }
}

/** Lets the serving process go first, and the kernel take this one first. */
function giveWay({ session }: TrialOrder): void {
  try {
    setPriority(0, session.niceness ?? 0)
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch (thrown) {
    process.stderr.write(`the trial process keeps its priority: ${messageOf(thrown)}\n`)
  }
}
