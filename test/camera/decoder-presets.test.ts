import t from 'tap'
import { decoderArgs, decoderPresets, isDecoderPreset } from '../../src/camera/decoder-presets.js'

t.test('a preset names the decoder of a codec', (t) => {
  t.same(decoderArgs('rpi', 'h264'), ['-c:v', 'h264_v4l2m2m'])
  t.same(decoderArgs('jetson', 'hevc'), ['-c:v', 'hevc_nvv4l2dec'])
  t.same(decoderArgs('jetson-nvmpi', 'h264'), ['-c:v', 'h264_nvmpi'])
  t.same(decoderArgs('vaapi', 'vp9'), ['-hwaccel', 'vaapi', '-hwaccel_device', '/dev/dri/renderD128'])
  t.end()
})

t.test('software decodes by default, and what a preset does not know', (t) => {
  t.same(decoderArgs('default', 'h264'), [])
  t.same(decoderArgs('rpi', 'mjpeg'), [])
  t.end()
})

t.test('names are told apart from other words', (t) => {
  for (const name of decoderPresets) t.ok(isDecoderPreset(name))
  for (const name of ['', 'toString', 'RPI']) t.notOk(isDecoderPreset(name))
  t.end()
})
