/**
 * The reference runner: a command that speaks the runner protocol and stands for an NPU. Its "model" is a JSON text
 * `{"kind":"brightness"}`; it finds one box in the middle of each picture, with the mean brightness as its score.
 * Other kinds make it behave badly: `slow` and `hang` while it opens, `crash`, `garbage`, `wild`, `refuse`, `other-frame`.
 *
 *     node dist/test/helpers/reference-runner.js [runtime [version [chip]]]
 */

import { readFileSync } from 'node:fs'

const [runtime = 'abacus', version = '1.0.0', chip] = process.argv.slice(2)

interface Request {
  readonly hello?: number
  readonly open?: string
  readonly width?: number
  readonly height?: number
  readonly detect?: number
  readonly bytes?: number
}

/** Long enough to be seen opening. */
const slowMs = 2500
let size = { width: 0, height: 0 }
let kind = 'brightness'

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

function serve(request: Request, pixels: Uint8Array): void {
  if (request.hello !== undefined) answer({ hello: 1, runtime, version, chip })
  else if (request.open !== undefined) open(request.open, request)
  else if (request.detect !== undefined) detect(request.detect, pixels)
  else answer({ error: `unknown request ${JSON.stringify(request)}` })
}

function open(path: string, { width = 0, height = 0 }: Request): void {
  size = { width, height }
  try {
    kind = (JSON.parse(readFileSync(path, 'utf8')) as { kind: string }).kind
    if (kind === 'hang') return
    if (kind === 'slow')
      setTimeout(() => {
        answer({ opened: true })
      }, slowMs)
    else answer({ opened: true })
  } catch (thrown) {
    answer({ error: `not a file of this runner: ${(thrown as Error).message}` })
  }
}

function detect(id: number, pixels: Uint8Array): void {
  const { width, height } = size
  const score = pixels.reduce((sum, value) => sum + value, 0) / pixels.length / 255
  const box = [width * 0.375, height * 0.375, width * 0.625, height * 0.625, score, 0]
  if (kind === 'crash') {
    process.stderr.write('the device fell off the bus\n')
    process.exit(3)
  }
  if (kind === 'garbage') process.stdout.write('I see a box\n')
  else if (kind === 'refuse') answer({ error: 'too hot' })
  else if (kind === 'wild') answer({ detect: id, boxes: [[0, 0, 1, 1, 2, 99]] })
  else if (kind === 'other-frame') answer({ detect: id + 1, boxes: [] })
  else answer({ detect: id, boxes: [box] })
}

let received = Buffer.alloc(0)
let waiting: { readonly request: Request; readonly bytes: number } | undefined

function take(): boolean {
  if (waiting !== undefined) {
    if (received.length < waiting.bytes) return false
    const { request, bytes } = waiting
    waiting = undefined
    const pixels = received.subarray(0, bytes)
    received = received.subarray(bytes)
    serve(request, pixels)
    return true
  }
  const end = received.indexOf('\n')
  if (end < 0) return false
  const request = JSON.parse(received.subarray(0, end).toString()) as Request
  received = received.subarray(end + 1)
  waiting = { request, bytes: request.bytes ?? 0 }
  return true
}

process.stdin.on('data', (part: Buffer) => {
  received = Buffer.concat([received, part])
  while (take());
})
