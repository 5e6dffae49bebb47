#!/usr/bin/env node
/**
 * The command line. Invariant: every way out ends here: a result and 0, or one coded sentence and the code's status.
 */

import { CommanderError } from 'commander'
import { reportError } from './output.js'
import { program } from './program.js'

// Whoever reads the results may stop early, as head does: that is no error, and nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
try {
  await program().parseAsync()
} catch (thrown) {
  process.exitCode =
    thrown instanceof CommanderError ? statusOf(thrown) : reportError(thrown, process.argv.includes('--json'))
}

/** commander has already printed its sentence; help and version are no errors. */
function statusOf(error: CommanderError): number {
  return error.exitCode === 0 ? 0 : 2
}
