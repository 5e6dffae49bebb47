import { once } from 'node:events'
import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import type { ToolCommand } from '../../src/camera/tool-process.js'
import { ToolProcess } from '../../src/camera/tool-process.js'
import { allowOnlyTools, childProcesses, skipWithoutTool } from '../helpers/clips.js'

const skip = skipWithoutTool('ffmpeg')
const endless: ToolCommand = {
  command: 'ffmpeg',
  args: [
    '-v',
    'error',
    '-progress',
    'pipe:1',
    '-re',
    '-f',
    'lavfi',
    '-i',
    'color=black:size=16x16',
    '-f',
    'null',
    '-',
  ],
}
const quiet = { stdin: 'ignore', stdout: 'pipe' } as const

t.test('a program that ended tells its code and its last words', { skip }, async (t) => {
  const args = ['-v', 'error', '-i', 'rtsp-ish://user:secret@nowhere/x', '-f', 'null', '-']
  const tool = await ToolProcess.start({ command: 'ffmpeg', args }, quiet, systemClock)
  t.equal((await tool.exited).code, 1)
  t.match(tool.lastWords(), /rtsp-ish:\/\/\*\*\*@nowhere/)
  t.notMatch(tool.lastWords(), /secret|\n/)
})

t.test('stop ends a program, also one that does not listen', { skip }, async (t) => {
  const polite = await ToolProcess.start(endless, quiet, systemClock)
  await polite.stop()
  const deaf = await ToolProcess.start(endless, quiet, systemClock)
  if (deaf.stdout !== null) await once(deaf.stdout, 'data')
  process.kill(deaf.pid ?? 0, 'SIGSTOP')
  await deaf.stop()
  t.equal((await deaf.exited).signal, 'SIGKILL')
  await deaf.stop()
  t.same(childProcesses(), [])
})

t.test('finish lets a program end by itself, but not for ever', { skip }, async (t) => {
  const short = await ToolProcess.start({ command: 'ffmpeg', args: ['-version'] }, quiet, systemClock)
  short.stdout?.resume()
  t.equal((await short.finish(60_000)).code, 0)
  const long = await ToolProcess.start(endless, quiet, systemClock)
  t.not((await long.finish(10)).code, 0)
  t.same(childProcesses(), [])
})

t.test('a program that is not installed is named with its package', async (t) => {
  allowOnlyTools(t, [])
  await t.rejects(ToolProcess.start({ command: 'rpicam-vid', args: [] }, quiet, systemClock), {
    code: 'resource.tool_missing',
    message: 'cannot run rpicam-vid: it is not installed (apt install rpicam-apps)',
  })
})
