/**
 * Two connected sockets, to be given to child processes or read here.
 * Invariant: their name exists in a private folder, and only until both ends are open.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import type { OnReadOpts, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SocketPair {
  readonly readEnd: Socket
  readonly writeEnd: Socket
}

/** Without `onread`, this process reads from neither end, so that a child can. */
export async function socketPair(onread?: OnReadOpts): Promise<SocketPair> {
  const folder = await mkdtemp(join(tmpdir(), 'yolo-edge-'))
  const path = join(folder, 'pixels')
  const server = createServer({ pauseOnConnect: true })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
    const readEnd = onread === undefined ? connect({ path }).pause() : connect({ path, onread })
    await new Promise<void>((resolve, reject) => {
      readEnd.once('connect', resolve)
      readEnd.once('error', reject)
    })
    return { readEnd, writeEnd: await accepted }
  } finally {
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}
