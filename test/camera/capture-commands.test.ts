import t from 'tap'
import { jetsonCsiCommand, rpicamCommand } from '../../src/camera/capture-commands.js'

const size = { width: 1280, height: 720, fps: 30 }

t.test('rpicam-vid writes raw frames to stdout for ever, without a window', (t) => {
  const { command, args } = rpicamCommand(1, size)
  t.equal(
    [command, ...args].join(' '),
    'rpicam-vid --camera 1 --timeout 0 --nopreview --width 1280 --height 720 --framerate 30 ' +
      '--codec yuv420 --flush --output -',
  )
  t.end()
})

t.test('gst-launch-1.0 takes the CSI camera from NVMM memory to stdout', (t) => {
  const { command, args } = jetsonCsiCommand(0, size)
  t.equal(
    [command, ...args].join(' '),
    'gst-launch-1.0 --quiet -e nvarguscamerasrc sensor-id=0 ! ' +
      'video/x-raw(memory:NVMM),width=1280,height=720,format=NV12,framerate=30/1 ! nvvidconv ! ' +
      'video/x-raw,width=1280,height=720,format=I420 ! fdsink fd=1 sync=false',
  )
  t.match(jetsonCsiCommand(0, { ...size, fps: 29.97 }).args.join(' '), 'framerate=2997/100')
  t.end()
})
