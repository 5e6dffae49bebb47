/** Lines for the journal carry their priority; others stay as they are. */

import { closeSync, fstatSync, openSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { errorWithPriority, goesToJournal, withPriority } from '../../src/cli/journal.js'

t.test('each level has the priority of the journal', (t) => {
  const of = (level: number): string => withPriority(`{"level":${level},"msg":"x"}\n`)
  t.equal(of(20), '<7>{"level":20,"msg":"x"}\n')
  t.equal(of(30), '<6>{"level":30,"msg":"x"}\n')
  t.equal(of(40), '<4>{"level":40,"msg":"x"}\n')
  t.equal(of(50), '<3>{"level":50,"msg":"x"}\n')
  t.equal(of(60), '<2>{"level":60,"msg":"x"}\n')
  t.equal(withPriority('what a library prints\n'), '<6>what a library prints\n')
  t.equal(errorWithPriority('one\n  two\n'), '<3>one\n<3>  two\n')
  t.end()
})

t.test('only the very stream that systemd names is the journal', (t) => {
  const file = openSync(join(t.testdir(), 'stream'), 'w')
  t.teardown(() => {
    closeSync(file)
  })
  const { dev, ino } = fstatSync(file, { bigint: true })
  t.equal(goesToJournal(file, { JOURNAL_STREAM: `${dev}:${ino}` }), true)
  t.equal(goesToJournal(file, { JOURNAL_STREAM: `${dev}:${ino + 1n}` }), false)
  t.equal(goesToJournal(file, {}), false)
  t.end()
})
