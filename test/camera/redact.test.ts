import t from 'tap'
import { redactUrls } from '../../src/camera/redact.js'

t.test('users, passwords and tokens are hidden, addresses stay', (t) => {
  const cases = [
    ['rtsp://user:secret@10.0.0.5:554/stream', 'rtsp://***@10.0.0.5:554/stream'],
    ['rtsp://user:se@cr@et@cam/stream', 'rtsp://***@cam/stream'],
    ['rtsp://user@cam/stream', 'rtsp://***@cam/stream'],
    ['http://cam/video?user=a&password=b&size=1', 'http://cam/video?user=***&password=***&size=1'],
    ['opening RTSP://A:B@c and http://d:e@f failed', 'opening RTSP://***@c and http://***@f failed'],
    ['http://cam/mail@home', 'http://cam/mail@home'],
    ['/videos/a@b.mp4', '/videos/a@b.mp4'],
  ] as const
  for (const [text, expected] of cases) t.equal(redactUrls(text), expected)
  t.end()
})
