/**
 * The server's side of a WebSocket (RFC 6455) as a stream of bytes, which is all that MQTT over WebSocket needs: MQTT packets
 * do not follow the borders of messages (MQTT 5.0, 6.0).
 * Invariant: only what a client sent as masked binary data comes out; anything else ends the stream with the code that the
 * RFC names; a control frame is the only thing that is held.
 */

import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'

const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const loopbackNames: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]'])

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const closeCodes = { protocolError: 1002, unsupported: 1003 } as const
const controlBytesMax = 125

/**
 * Answers an upgrade request. Returns the stream of the accepted connection; undefined, with the socket ended, for a request
 * that is no MQTT over WebSocket, or that a page from another host than this one makes: browsers let every page try.
 */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer): Duplex | undefined {
  const { headers } = request
  const key = headers['sec-websocket-key']
  const protocols = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  const protocol = protocols.find((name) => name === 'mqtt' || name === 'mqttv3.1')
  const isUpgrade =
    headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-version'] === '13'
  if (!isUpgrade || key === undefined || protocol === undefined) {
    refuse(socket, '400 Bad Request')
    return undefined
  }
  if (!isFromHere(headers.origin)) {
    refuse(socket, '403 Forbidden')
    return undefined
  }
  const accept = createHash('sha1').update(`${key}${acceptSuffix}`).digest('base64')
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
      '\r\n',
    ].join('\r\n'),
  )
  if (head.length > 0) socket.unshift(head)
  return new WebSocketStream(socket)
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => undefined)
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** Programs name no origin; pages name theirs. */
function isFromHere(origin: string | undefined): boolean {
  if (origin === undefined) return true
  return URL.canParse(origin) && loopbackNames.has(new URL(origin).hostname)
}

/** A frame whose payload is arriving. */
interface Frame {
  readonly opcode: number
  readonly mask: Buffer
  readonly sizeBytes: number
  readBytes: number
  /** The payload of a control frame. */
  readonly held: Buffer | undefined
}

/** The code to close with for a frame that begins with these two bytes; undefined for a good one. */
function problemOf(first: number, second: number): number | undefined {
  const opcode = first & 0x0f
  const isControl = opcode >= opcodes.close
  const isKnown = opcode <= opcodes.binary || (isControl && opcode <= opcodes.pong)
  const hasReserved = (first & 0x70) !== 0
  const isMasked = (second & 0x80) !== 0
  const isShort = (first & 0x80) !== 0 && (second & 0x7f) <= controlBytesMax
  if (!isKnown || hasReserved || !isMasked || (isControl && !isShort)) return closeCodes.protocolError
  return opcode === opcodes.text ? closeCodes.unsupported : undefined
}

class WebSocketStream extends Duplex {
  readonly #socket: Duplex
  /** The start of a frame whose head is not complete. */
  #rest: Buffer = Buffer.alloc(0)
  #frame: Frame | undefined
  #isClosing = false

  constructor(socket: Duplex) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes)
    })
    socket.on('error', () => this.destroy())
    socket.on('close', () => {
      this.push(null)
      this.destroy()
    })
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(opcodes.binary, bytes, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#close(1000)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #take(bytes: Buffer): void {
    let left = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes
    this.#rest = Buffer.alloc(0)
    while (left.length > 0 && !this.#isClosing) {
      if (this.#frame === undefined) {
        const headBytes = this.#readHead(left)
        if (headBytes === undefined) {
          this.#rest = left
          return
        }
        left = left.subarray(headBytes)
      }
      left = this.#readPayload(left)
    }
  }

  /** Reads the head of a frame. Returns its size, or undefined while it is not complete. */
  #readHead(bytes: Buffer): number | undefined {
    if (bytes.length < 2) return undefined
    const [first, second] = [bytes[0]!, bytes[1]!]
    const opcode = first & 0x0f
    const short = second & 0x7f
    const problem = problemOf(first, second)
    if (problem !== undefined) return this.#fail(problem, bytes)
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
    const headBytes = 2 + lengthBytes + 4
    if (bytes.length < headBytes) return undefined
    const long = lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : 0
    const sizeBytes = lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes === 8 ? long : short
    const isControl = opcode >= opcodes.close
    const mask = Buffer.from(bytes.subarray(headBytes - 4, headBytes))
    this.#frame = {
      opcode,
      mask,
      sizeBytes,
      readBytes: 0,
      held: isControl ? Buffer.alloc(sizeBytes) : undefined,
    }
    return headBytes
  }

  /** Ends the connection; the rest of what came is not read. */
  #fail(code: number, bytes: Buffer): number {
    this.#close(code)
    return bytes.length
  }

  /** Reads what is there of the payload of the frame. Returns what comes after it. */
  #readPayload(bytes: Buffer): Buffer {
    const frame = this.#frame
    if (frame === undefined) return bytes
    const count = Math.min(bytes.length, frame.sizeBytes - frame.readBytes)
    const plain = Buffer.allocUnsafe(count)
    for (let index = 0; index < count; index++)
      plain[index] = bytes[index]! ^ frame.mask[(frame.readBytes + index) & 3]!
    if (frame.held !== undefined) plain.copy(frame.held, frame.readBytes)
    else if (count > 0 && !this.push(plain)) this.#socket.pause()
    frame.readBytes += count
    if (frame.readBytes === frame.sizeBytes) {
      this.#frame = undefined
      if (frame.held !== undefined) this.#obey(frame.opcode, frame.held)
    }
    return bytes.subarray(count)
  }

  #obey(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#send(opcodes.pong, payload)
    else if (opcode === opcodes.close) this.#close(payload.length >= 2 ? payload.readUInt16BE(0) : 1000)
  }

  #close(code: number): void {
    if (this.#isClosing) return
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    this.#send(opcodes.close, payload)
    this.#isClosing = true
    this.#socket.end()
  }

  #send(opcode: number, payload: Buffer, done?: (error?: Error | null) => void): void {
    if (this.#isClosing || this.#socket.destroyed) {
      done?.()
      return
    }
    const { length } = payload
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
    head[0] = 0x80 | opcode
    head[1] = length < 126 ? length : length < 65_536 ? 126 : 127
    if (head.length === 4) head.writeUInt16BE(length, 2)
    else if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
    this.#socket.write(head)
    this.#socket.write(payload, (error) => done?.(error))
  }
}
