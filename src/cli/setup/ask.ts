/**
 * Questions to a person at a terminal. Invariant: questions go to stderr, so that stdout holds the result alone.
 */

import { createInterface } from 'node:readline'
import { AgentError } from '../../base/errors.js'
import { printable } from '../../base/printable.js'

/** Where answers come from; undefined where nobody can be asked. */
export interface Asker {
  /** Asks and returns the answer without spaces around it; `proposal`, shown in brackets, for an empty one. */
  ask(question: string, proposal: string): Promise<string>
  /** Says something between questions. */
  say(text: string): void
  close(): void
}

/** The terminal of this process, or undefined where stdin or stderr is none. */
export function terminalAsker(): Asker | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
  // What is typed, or pasted, before it is asked for is the next answer.
  const typed: string[] = []
  let take: ((line: string | undefined) => void) | undefined
  let isClosed = false
  lines.on('line', (line) => {
    if (take === undefined) typed.push(line)
    else answer(line)
  })
  lines.once('close', () => {
    isClosed = true
    answer(undefined)
  })
  /** Gives the line to whoever waits, once. */
  function answer(line: string | undefined): void {
    const taker = take
    take = undefined
    taker?.(line)
  }
  async function nextLine(): Promise<string | undefined> {
    const early = typed.shift()
    if (early !== undefined || isClosed) return early
    return new Promise((resolve) => (take = resolve))
  }
  return {
    ask: async (question, proposal) => {
      lines.setPrompt(`${question}${proposal === '' ? '' : ` [${printable(proposal)}]`}: `)
      lines.prompt()
      const text = await nextLine()
      if (text === undefined)
        throw new AgentError('cli.argument_invalid', 'the setup was left: nothing was changed')
      return text.trim() === '' ? proposal : text.trim()
    },
    say: (text) => {
      process.stderr.write(`${printable(text)}\n`)
    },
    close: () => {
      lines.close()
    },
  }
}
