import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AgentLab } from '../../helpers/agent-lab.js'
import { skipWithoutTool } from '../../helpers/clips.js'
import { projectRoot } from '../../helpers/paths.js'
import { passwordsSeenIn, randomPasswords, startMuteServer, watchRun } from '../../helpers/secret-cameras.js'
import { runsWithCameras } from '../../helpers/secret-runs.js'

t.setTimeout(300_000)

const model = join(projectRoot, 'models', 'parts', 'parts-int8.onnx')
const skip = skipWithoutTool('ffmpeg')

t.test('one hundred passwords, raw and encoded: none is printed by check-config', async (t) => {
  const secrets = randomPasswords(100)
  const file = join(t.testdir({}), 'device.yaml')
  for (const written of [secrets, secrets.map((secret) => encodeURIComponent(secret))]) {
    for (const [half, form] of [[], ['--json']].entries()) {
      const part = written.slice(half * 50, half * 50 + 50)
      const cameras = part.map((secret, index) => ({
        name: `c${index}`,
        source: `rtsp://admin:${secret}@127.0.0.1:9/ch${index}`,
      }))
      writeFileSync(file, JSON.stringify({ broker: { password: part[0] }, cameras }))
      const { said } = await watchRun(['check-config', '--config', file, ...form])
      t.same(passwordsSeenIn(said), [])
      t.match(said, /\*\*\*@127\.0\.0\.1:9\/ch\d/)
    }
  }
})

t.test('a few of them through doctor, detect and run', { skip }, async (t) => {
  const lab = await AgentLab.start()
  t.teardown(() => lab.stop())
  const runs = await runsWithCameras(t, lab, randomPasswords(3))
  for (const [command, { said, seen, status }] of runs) {
    t.same(passwordsSeenIn(said + seen), [], command)
    t.match(said, /127\.0\.0\.1/, `${command} names the camera`)
    if (command === 'doctor') t.equal(status, 5)
    if (command !== 'detect, raw') t.match(seen, /ffprobe/, `${command}: the programs were seen`)
  }
})

t.test('a password that must be encoded is told so, without it', { skip }, async (t) => {
  const { port } = await startMuteServer(t)
  for (const secret of ['Top/ZqX1', 'a@Top#ZqX1', 'ZqX1%']) {
    const raw = await watchRun([
      'detect',
      `rtsp://installer:${secret}@127.0.0.1:${port}/cam`,
      '--model',
      model,
    ])
    t.equal(raw.status, 7)
    t.match(raw.said, /percent-encoded/)
    t.same(passwordsSeenIn(raw.said + raw.seen), [])
  }
})
