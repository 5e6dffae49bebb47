import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { plainInput } from '../../src/camera/ffmpeg.js'
import { probeFfmpeg, probeVideo, videoFactsFrom } from '../../src/camera/probe-video.js'
import { skipWithoutTool, writeClip, writeCountedClip } from '../helpers/clips.js'

const skip = skipWithoutTool('ffmpeg')
const { signal } = new AbortController()

t.test('size, codec and rate of a real file', { skip }, async (t) => {
  const path = join(t.testdir({}), 'a.mkv')
  writeCountedClip(path, { width: 48, height: 32, frames: 3, fps: 12 })
  t.same(await probeVideo(plainInput(`file:${path}`), systemClock, signal), {
    width: 48,
    height: 32,
    codec: 'png',
    fps: 12,
  })
  t.type((await probeFfmpeg(systemClock)).hasFpsMode, 'boolean')
})

t.test('a file of sound, or no media at all, is refused', { skip }, async (t) => {
  const folder = t.testdir({ 'note.mp4': 'no video' })
  writeClip(join(folder, 'sound.wav'), ['-f', 'lavfi', '-i', 'sine=duration=0.1'])
  for (const name of ['note.mp4', 'sound.wav', 'gone.mp4']) {
    const probing = probeVideo(plainInput(`file:${join(folder, name)}`), systemClock, signal)
    await t.rejects(probing, { code: 'camera.open_failed', message: new RegExp(name) }, name)
  }
})

t.test("the size is the upright picture's", (t) => {
  const turned = { width: 1920, height: 1080, codec_name: 'hevc', avg_frame_rate: '30000/1001' }
  const upright = { width: 1080, height: 1920, codec: 'hevc', fps: 30000 / 1001 }
  t.same(
    videoFactsFrom(JSON.stringify({ streams: [{ ...turned, side_data_list: [{ rotation: -90 }] }] })),
    upright,
  )
  t.same(videoFactsFrom(JSON.stringify({ streams: [{ ...turned, tags: { rotate: '270' } }] })), upright)
  const overhead = { streams: [{ ...turned, side_data_list: [{}, { rotation: 180 }] }] }
  t.match(videoFactsFrom(JSON.stringify(overhead)), { width: 1920, height: 1080 })
  t.end()
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
