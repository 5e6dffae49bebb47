import t from 'tap'
import { formatsIn, videoFormatsOf } from '../../../src/cli/doctor/video-formats.js'

t.test("ffmpeg's list of formats, as it prints it for a USB camera", (t) => {
  const said = [
    '[video4linux2,v4l2 @ 0x55d1c8f2a6c0] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480 320x240',
    '[video4linux2,v4l2 @ 0x55d1c8f2a6c0] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 320x240',
    '[video4linux2,v4l2 @ 0x55d1c8f2a6c0] Raw       :     yuv420p : Planar YUV 4:2:0 : {32-2592, 2}x{32-1944, 2}',
    '/dev/video0: Immediate exit requested',
  ].join('\n')
  t.equal(
    formatsIn(said),
    'mjpeg 1280x720 640x480 320x240; yuyv422 640x480 320x240; yuv420p {32-2592, 2}x{32-1944, 2}',
  )
  t.equal(formatsIn('/dev/video9: No such file or directory'), undefined)
  t.end()
})

t.test('a device that is not there has no formats', async (t) => {
  t.equal(await videoFormatsOf('/dev/video250'), undefined)
})
