import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { skipWithoutTool } from '../../helpers/clips.js'
import { projectRoot } from '../../helpers/paths.js'

const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const model = join(projectRoot, 'models', 'parts', 'parts-int8.onnx')
const skip = skipWithoutTool('ffmpeg')

/** The arguments of every process of the machine but those in `ignored`. */
function argumentsOfAll(ignored: ReadonlySet<number>): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !ignored.has(Number(name)))
    .map((name) => {
      try {
        return readFileSync(join('/proc', name, 'cmdline'), 'utf8')
      } catch {
        // It ended while we looked.
        return ''
      }
    })
    .join('\n')
}

/** All that a command says, and the arguments of whatever ran meanwhile. */
async function run(args: readonly string[]): Promise<{ said: string; seen: string; status: number | null }> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ignored = new Set([process.pid, child.pid ?? 0])
  let said = ''
  let seen = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const watch = setInterval(() => {
    seen += argumentsOfAll(ignored)
  }, 15)
  const [status] = (await once(child, 'close')) as [number | null]
  clearInterval(watch)
  return { said, seen, status }
}

/** Passwords of printable characters between two marks that no other text holds. */
function passwords(count: number): readonly string[] {
  const random = seededRandom(7)
  const letter = (): string => String.fromCharCode(32 + random.integer(95))
  return Array.from(
    { length: count },
    () => `Zq${Array.from({ length: 3 + random.integer(10) }, letter).join('')}qZ`,
  )
}

/** Every form in which a secret might be recognized. */
function hitsIn(text: string, secrets: readonly string[]): readonly string[] {
  return secrets.filter((secret) => text.includes(secret) || text.includes(encodeURIComponent(secret)))
}

t.test('one hundred passwords, raw and encoded: none is printed by check-config', async (t) => {
  const secrets = passwords(100)
  const file = join(t.testdir({}), 'device.yaml')
  for (const written of [secrets, secrets.map((secret) => encodeURIComponent(secret))]) {
    for (const [half, form] of [[], ['--json']].entries()) {
      const part = written.slice(half * 50, half * 50 + 50)
      const cameras = part.map((secret, index) => ({
        name: `c${index}`,
        source: `rtsp://admin:${secret}@127.0.0.1:9/ch${index}`,
      }))
      writeFileSync(file, JSON.stringify({ broker: { password: part[0] }, cameras }))
      const { said } = await run(['check-config', '--config', file, ...form])
      t.same(hitsIn(said, secrets), [])
      t.match(said, /\*\*\*@127\.0\.0\.1:9\/ch\d/)
    }
  }
})

t.test(
  'no password is printed by detect or doctor, or stands in the arguments of a process',
  { skip },
  async (t) => {
    // Takes connections and says nothing: the programs are there to be looked at until they are ended.
    const mute = createServer((socket) => {
      socket.on('error', () => undefined)
      setTimeout(() => {
        socket.destroy()
      }, 700)
    })
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    t.teardown(() => mute.close())
    const { port } = mute.address() as AddressInfo
    const folder = t.testdir({})
    const secrets = passwords(12)
    const cameras = secrets.map((secret, index) => ({
      name: `c${index}`,
      source: `${index % 2 === 0 ? 'rtsp' : 'http'}://admin:${encodeURIComponent(secret)}@127.0.0.1:${port}/ch${index}`,
    }))
    const file = join(folder, 'device.yaml')
    writeFileSync(file, JSON.stringify({ state: { directory: folder }, cameras }))
    const doctor = await run(['doctor', '--config', file])
    t.equal(doctor.status, 5)
    t.match(doctor.said, /FAULT +camera c11/)
    t.match(doctor.seen, /ffprobe/, 'the programs were seen')
    t.same(hitsIn(doctor.said + doctor.seen, secrets), [])

    for (const secret of [
      'Top/Secret1',
      'Top#Secret1',
      'Top?Secret1',
      'Top Secret1',
      'a@Top/Secret1',
      'Secret1%',
    ]) {
      const raw = await run(['detect', `rtsp://installer:${secret}@127.0.0.1:${port}/cam`, '--model', model])
      t.equal(raw.status, 7)
      t.match(raw.said, /percent-encoded/)
      t.notMatch(raw.said + raw.seen, /Secret1/)
    }
    const source = `rtsp://installer:${encodeURIComponent('Top/Secret1')}@127.0.0.1:${port}/cam`
    const encoded = await run(['detect', source, '--model', model, '--json'])
    t.equal(encoded.status, 7)
    t.match(encoded.seen, /ffprobe/)
    t.notMatch(encoded.said + encoded.seen, /Secret1/)
  },
)
