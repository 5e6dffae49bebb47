import t from 'tap'
import { parseSourceUri } from '../../src/camera/source-uri.js'

t.test('every form of address is understood', (t) => {
  const cases = [
    ['clip.mp4', 'path', 'clip.mp4'],
    ['/data/a b#1.mp4', 'path', '/data/a b#1.mp4'],
    ['file:///data/a%20b.mp4', 'path', '/data/a b.mp4'],
    ['/dev/video2', 'v4l2', '/dev/video2'],
    ['v4l2:///dev/video2', 'v4l2', '/dev/video2'],
    ['v4l2://1', 'v4l2', '/dev/video1'],
    ['v4l2:///dev/v4l/by-id/usb-cam_1-index0', 'v4l2', '/dev/v4l/by-id/usb-cam_1-index0'],
    [
      '/dev/v4l/by-id/usb-VENDOR_CAM_1234-video-index0',
      'v4l2',
      '/dev/v4l/by-id/usb-VENDOR_CAM_1234-video-index0',
    ],
    [
      '/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0',
      'v4l2',
      '/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0',
    ],
    ['v4l2:///dev/v4l/by-path/pci-0000:00:14.0-usb-0:1', 'v4l2', '/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1'],
    ['webcam:///dev/v4l/by-path/usb-0:1', 'webcam', '/dev/v4l/by-path/usb-0:1'],
    ['/dev/frontcam#size=640x480', 'v4l2', '/dev/frontcam'],
    ['/dev/shm/clip.mp4', 'path', '/dev/shm/clip.mp4'],
    ['/dev/stdin', 'path', '/dev/stdin'],
    ['rtsp://u:p@cam/1?channel=2', 'network', 'rtsp://u:p@cam/1?channel=2'],
    ['HTTPS://cam/x.mjpg', 'network', 'HTTPS://cam/x.mjpg'],
    ['csi://1', 'csi', '1'],
    ['libcamera://', 'libcamera', '0'],
    ['webcam://', 'webcam', '/dev/video0'],
    ['webcam://TEST', 'webcam', 'TEST'],
    ['synthetic', 'synthetic', ''],
    ['synthetic:///data/bus.jpg', 'synthetic', '/data/bus.jpg'],
  ] as const
  for (const [address, scheme, target] of cases) t.match(parseSourceUri(address), { scheme, target }, address)
  t.end()
})

t.test('options follow a hash, or a question mark where the address has no query of its own', (t) => {
  t.match(parseSourceUri('clip.mp4#fps=5&loop=true&start_s=1.5'), {
    target: 'clip.mp4',
    options: { fps: 5, loop: true, start_s: 1.5 },
  })
  t.match(parseSourceUri('rtsp://cam/1?fps=no#transport=udp&decoder=jetson'), {
    target: 'rtsp://cam/1?fps=no',
    options: { transport: 'udp', decoder: 'jetson' },
  })
  t.same(parseSourceUri('v4l2://0?size=640x480&format=mjpeg').options, {
    size: { width: 640, height: 480 },
    format: 'mjpeg',
  })
  t.same(parseSourceUri('synthetic://?fps=3&seed=9').options, { fps: 3, seed: 9 })
  t.end()
})

t.test('labels hide credentials', (t) => {
  t.same(parseSourceUri('rtsp://u:p%2Fw@cam/1#fps=3').secrets, ['u:p%2Fw', 'u:p/w', 'p%2Fw', 'p/w'])
  t.equal(parseSourceUri('rtsp://u:p@cam/1#fps=3').label, 'rtsp://***@cam/1')
  t.end()
})

t.test('what a camera cannot do is refused, a loop from the settings too', (t) => {
  t.equal(parseSourceUri('clip.mp4#fps=3', true).options.loop, true)
  t.throws(() => parseSourceUri('/dev/video0', true), { message: /loop has no meaning here/ })
  t.end()
})

t.test('what is not understood is refused, with what is known', (t) => {
  const cases = [
    ['', /expected a file or folder/],
    ['gopher://x', /gopher:\/\/ is not known; expected .*csi:\/\/0/],
    ['file://data/x.mp4', /absolute path/],
    ['file:///data/100%.mp4', /%25/],
    ['csi://front', /camera's number/],
    ['clip.mp4#speed=2', /speed has no meaning here; expected one of fps/],
    ['rtsp://u:p@cam/1#seed=2', /\*\*\*@cam.*seed has no meaning here/],
    ['clip.mp4#fps=0', /"0"; expected frames per second/],
    ['clip.mp4#fps=', /expected frames per second/],
    ['clip.mp4#loop=yes', /true or false/],
    ['clip.mp4#decoder=gpu', /one of default, rpi/],
    ['v4l2://0?size=640', /WIDTHxHEIGHT/],
    ['webcam://dev/video0;reboot', /a device such as/],
    ['webcam:///dev/$(reboot)', /a device such as/],
    ['v4l2:///dev/../etc/passwd', /a device such as/],
    ['/dev/cam --device=x;reboot', /a device such as/],
    ['rtsp://u:Top/Secret1@cam/1', /\*\*\*@cam\/1 as a camera: .*percent-encoded/],
    ["http://cam/x'\nfile 'file:/etc/passwd", /a line break/],
  ] as const
  for (const [address, message] of cases)
    t.throws(() => parseSourceUri(address), { code: 'camera.source_invalid', message }, address)
  t.end()
})
