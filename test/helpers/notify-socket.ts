/**
 * The socket of a service manager: what a service says with sd_notify(3), read as it arrives.
 * Invariant: it is a datagram socket of the unix family, as systemd's. Node has none, so perl, which every Debian has, listens.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Teardowns } from './processes.js'

export interface NotifySocket {
  /** For NOTIFY_SOCKET. */
  readonly path: string
  /** Calls `listener` with each assignment, such as `READY=1`. */
  readonly onAssignment: (listener: (assignment: string) => void) => void
}

const program =
  '$|=1; my $s=IO::Socket::UNIX->new(Type=>SOCK_DGRAM,Local=>$ARGV[0]) or die; print "UP\\n"; ' +
  'my $m; while(1){ $s->recv($m,4096); print "$m\\n"; }'

/** Opens a socket that ends with the test. */
export async function openNotifySocket(t: Teardowns): Promise<NotifySocket> {
  // A socket path has at most 107 bytes: the test folder's would be too long.
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-'))
  const path = join(folder, 'notify')
  const child = spawn('perl', ['-MIO::Socket::UNIX', '-MSocket', '-e', program, path])
  t.teardown(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  const listeners: ((assignment: string) => void)[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const line of lines) for (const listener of listeners) listener(line)
  })
  await once(child.stdout, 'data')
  return { path, onAssignment: (listener) => listeners.push(listener) }
}
