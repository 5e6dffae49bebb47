/** One hundred passwords of cameras through every command that opens cameras: none is said, none stands in arguments. */

import t from 'tap'
import { AgentLab } from '../helpers/agent-lab.js'
import { skipWithoutTool } from '../helpers/clips.js'
import { passwordsSeenIn, randomPasswords } from '../helpers/secret-cameras.js'
import { runsWithCameras } from '../helpers/secret-runs.js'

t.setTimeout(1_800_000)

t.test('through doctor, detect and run', { skip: skipWithoutTool('ffmpeg') }, async (t) => {
  const lab = await AgentLab.start()
  t.teardown(() => lab.stop())
  const secrets = randomPasswords(100)
  const runs = await runsWithCameras(t, lab, secrets)
  const hits = runs.flatMap(([command, { said, seen }]) =>
    passwordsSeenIn(said + seen).map((place) => ({ command, place })),
  )
  t.same(hits, [])
  const counts = new Map<string, number>()
  for (const [command] of runs) counts.set(command, (counts.get(command) ?? 0) + 1)
  t.same(Object.fromEntries(counts), { doctor: 2, run: 2, detect: 100, 'detect, raw': 100 })
  const seen = runs.map(([, run]) => run.seen).join('\n')
  t.match(seen, /ffprobe/, 'the programs were seen')
})
