import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { fileInput } from '../../src/camera/ffmpeg.js'
import { probeFfmpeg, probeVideo, videoFactsFrom } from '../../src/camera/probe-video.js'
import { skipWithoutTool, writeClip, writeCountedClip } from '../helpers/clips.js'

const skip = skipWithoutTool('ffmpeg')
const { signal } = new AbortController()

t.test('codec and rate of a real file', { skip }, async (t) => {
  const path = join(t.testdir({}), 'a.mkv')
  writeCountedClip(path, { width: 48, height: 32, frames: 3, fps: 12 })
  t.same(await probeVideo(fileInput(path), systemClock, signal), {
    codec: 'png',
    fps: 12,
  })
  t.type((await probeFfmpeg(systemClock)).hasFpsMode, 'boolean')
})

t.test('a file of sound, or no media at all, is refused', { skip }, async (t) => {
  const folder = t.testdir({ 'note.mp4': 'no video' })
  writeClip(join(folder, 'sound.wav'), ['-f', 'lavfi', '-i', 'sine=duration=0.1'])
  for (const name of ['note.mp4', 'sound.wav', 'gone.mp4']) {
    const probing = probeVideo(fileInput(join(folder, name)), systemClock, signal)
    await t.rejects(probing, { code: 'camera.open_failed', message: new RegExp(name) }, name)
  }
})

t.test('a rate that is not stated is unknown, a stream without a size is none', (t) => {
  const stream = { width: 8, height: 8, codec_name: 'mjpeg', avg_frame_rate: '0/0', r_frame_rate: '0/0' }
  t.equal(videoFactsFrom(JSON.stringify({ streams: [stream] }))?.fps, undefined)
  t.equal(videoFactsFrom(JSON.stringify({ streams: [{ ...stream, r_frame_rate: '25/1' }] }))?.fps, 25)
  t.equal(videoFactsFrom(JSON.stringify({ streams: [{ ...stream, width: 0 }] })), undefined)
  t.equal(videoFactsFrom(JSON.stringify({ streams: [] })), undefined)
  t.equal(videoFactsFrom('{}'), undefined)
  t.end()
})
