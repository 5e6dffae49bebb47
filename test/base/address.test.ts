import t from 'tap'
import { addressOf, redactText } from '../../src/base/address.js'
import { seededRandom } from '../../src/base/random.js'

t.test('an address is shown without user, password and tokens', (t) => {
  const cases = [
    ['rtsp://user:secret@10.0.0.5:554/stream', 'rtsp://***@10.0.0.5:554/stream'],
    ['rtsp://user:se@cr@et@cam/stream', 'rtsp://***@cam/stream'],
    ['rtsp://user@cam/stream', 'rtsp://***@cam/stream'],
    ['udp://@239.0.0.1:5000', 'udp://@239.0.0.1:5000'],
    ['srt://:9000?mode=listener', 'srt://:9000?mode=listener'],
    ['rtsp://[fe80::1]:554/stream', 'rtsp://[fe80::1]:554/stream'],
    ['http://cam/video?user=a&password=b&size=1', 'http://cam/video?user=***'],
    ['http://cam/video?size=1&access_token=a/b#c d&x', 'http://cam/video?size=1&access_token=***'],
    ['rtsp://cam/user=admin_password=p_channel=1_stream=0.sdp', 'rtsp://cam/user=***'],
    ['http://cam/mail@home', 'http://cam/mail@home'],
    ['/videos/a@b.mp4', '/videos/a@b.mp4'],
    ['rtsp:/user:secret@cam/stream', '***@cam/stream'],
    ['mqtt://user:secret@broker', 'mqtt://***@broker'],
  ] as const
  for (const [text, shown] of cases) {
    t.equal(addressOf(text).shown, shown)
    t.equal(addressOf(shown).shown, shown, 'what is shown can be shown again')
    t.equal(addressOf(text).problem, undefined, text)
  }
  t.end()
})

t.test('what cannot be read with certainty says what to write', (t) => {
  const cases = [
    ['rtsp://installer:Top/Secret1@127.0.0.1:18554/cam', 'rtsp://***@127.0.0.1:18554/cam'],
    ['rtsp://installer:Top#Secret1@cam/1', 'rtsp://***@cam/1'],
    ['rtsp://installer:Top?Secret1@cam/1', 'rtsp://***@cam/1'],
    ['rtsp://installer:Top Secret1@cam/1', 'rtsp://***@cam/1'],
    ['rtsp://installer:a@Top/Secret1@cam/1', 'rtsp://***@cam/1'],
    ['rtsp://installer:100%@cam/1', 'rtsp://***@cam/1'],
    ['rtsp://installer:Top%zz@cam/1', 'rtsp://***@cam/1'],
    ['rtsp://ad/min:Secret1@cam/1', 'rtsp://***@cam/1'],
    ['http://cam:80/mail@home', 'http://***@home'],
  ] as const
  for (const [text, shown] of cases) {
    const address = addressOf(text)
    t.equal(address.shown, shown)
    t.match(address.problem, /percent-encoded/, text)
  }
  t.match(addressOf('rtsp://admin:Secret1/x'), { shown: 'rtsp://***', problem: /a port of digits/ })
  t.match(addressOf('rtsp://***@cam/1').problem, /hidden/)
  t.match(addressOf('http://cam/x?token=***').problem, /hidden/)
  t.end()
})

t.test('no random password is shown, wherever its marks would end it', (t) => {
  const random = seededRandom(24)
  for (let round = 0; round < 2000; round++) {
    const password = `Zq${Array.from({ length: 4 + random.integer(12) }, () => String.fromCharCode(32 + random.integer(95))).join('')}qZ`
    const encoded = encodeURIComponent(password)
    for (const written of [password, encoded]) {
      const { shown, secrets, problem } = addressOf(`rtsp://admin:${written}@10.0.0.5:554/ch1`)
      if (shown !== 'rtsp://***@10.0.0.5:554/ch1') t.fail(`${password}: ${shown}`)
      if (written === encoded && problem !== undefined) t.fail(`${password}: ${problem}`)
      const said = redactText(`cannot open ${written} of admin:${written} (${password})`, secrets)
      if (problem === undefined && written === encoded && said.includes(password)) t.fail(said)
      if (said.includes(written)) t.fail(said)
    }
  }
  t.end()
})

t.test('a text keeps its words, without credentials', (t) => {
  const cases = [
    ['opening RTSP://A:B@c and http://d:e@f failed', 'opening RTSP://***@c and http://***@f failed'],
    ["'http://cam/v?user=a&pwd=b&size=1': 401", "'http://cam/v?user=***&pwd=***&size=1': 401"],
    ['rtsp://cam/user=admin_password=p_channel=1', 'rtsp://cam/user=***_password=***_channel=1'],
    ['http://cam/mail@home', 'http://cam/mail@home'],
  ] as const
  for (const [text, expected] of cases) t.equal(redactText(text), expected)
  t.equal(redactText('it said p/w and p%2Fw', ['p%2Fw', 'p/w']), 'it said *** and ***')
  t.end()
})
