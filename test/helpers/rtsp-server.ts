/**
 * A small RTSP server on loopback: sends a transport stream as RTP (RFC 2250, payload type 33) inside the RTSP connection (RFC 2326,
 * 10.12), and asks for a user and password.
 * Invariant: every session gets the whole stream from its start, and is closed after it.
 */

import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'

const packetBytes = 188 * 7

/** One RTP packet behind its interleaving header. */
function interleaved(payload: Buffer, sequence: number): Buffer {
  const head = Buffer.alloc(16)
  head.write('$')
  head.writeUInt16BE(12 + payload.length, 2)
  head.writeUInt8(0x80, 4)
  head.writeUInt8(33, 5)
  head.writeUInt16BE(sequence & 0xffff, 6)
  head.writeUInt32BE((sequence * 3000) >>> 0, 8)
  head.writeUInt32BE(0x1234, 12)
  return Buffer.concat([head, payload])
}

function play(socket: Socket, stream: Buffer): void {
  for (let at = 0, sequence = 0; at < stream.length; at += packetBytes, sequence++)
    socket.write(interleaved(stream.subarray(at, at + packetBytes), sequence))
  socket.end()
}

export interface RtspServer {
  readonly port: number
  /** How many sessions were played. */
  readonly sessions: () => number
  readonly close: () => void
}

/** Serves `stream` (MPEG-TS) at any path to whoever names `credentials` (`user:password`). */
export async function serveRtsp(stream: Buffer, credentials: string): Promise<RtspServer> {
  const basic = `Basic ${Buffer.from(credentials).toString('base64')}`
  let sessions = 0
  const server = createServer((socket) => {
    let received = ''
    const answer = (sequence: string, status: string, lines: readonly string[] = [], body = ''): void => {
      const head = [`RTSP/1.0 ${status}`, `CSeq: ${sequence}`, ...lines, `Content-Length: ${body.length}`]
      socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    }
    const serve = (request: string): void => {
      const method = request.split(' ', 1)[0]
      const sequence = /^CSeq: *(\d+)/im.exec(request)?.[1] ?? '0'
      if (method === 'OPTIONS') {
        answer(sequence, '200 OK', ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN'])
      } else if (!request.includes(basic)) {
        answer(sequence, '401 Unauthorized', ['WWW-Authenticate: Basic realm="test"'])
      } else if (method === 'DESCRIBE') {
        const sdp = [
          'v=0',
          'o=- 1 1 IN IP4 127.0.0.1',
          's=test',
          't=0 0',
          'm=video 0 RTP/AVP 33',
          'a=control:track1',
          '',
        ]
        answer(sequence, '200 OK', ['Content-Type: application/sdp'], sdp.join('\r\n'))
      } else if (method === 'SETUP') {
        answer(sequence, '200 OK', ['Session: 1', 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1'])
      } else {
        answer(sequence, '200 OK', ['Session: 1'])
        if (method !== 'PLAY') return
        sessions++
        play(socket, stream)
      }
    }
    socket.on('error', () => undefined)
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        serve(received.slice(0, end))
        received = received.slice(end + 4)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    sessions: () => sessions,
    close: () => {
      server.close()
    },
  }
}
