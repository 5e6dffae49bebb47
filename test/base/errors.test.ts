import t from 'tap'
import {
  AgentError,
  errorTable,
  isAgentError,
  messageOf,
  systemCodeOf,
  wrapError,
} from '../../src/base/errors.js'

t.test('every code is kind.noun_verb and has an exit status a shell can see', (t) => {
  for (const [code, row] of Object.entries(errorTable)) {
    t.match(code, /^[a-z]+\.[a-z0-9]+(_[a-z0-9]+)+$/)
    t.ok(row.exit > 1 && row.exit < 126, `${code} exits with ${row.exit}`)
  }
  t.end()
})

t.test('an error carries its code, policy, status, hint and cause', (t) => {
  const cause = new TypeError('inner')
  const error = new AgentError('network.broker_refused', 'cannot connect', {
    cause,
    hint: 'check the password',
  })
  t.match(error, {
    code: 'network.broker_refused',
    retry: 'later',
    exitCode: 6,
    hint: 'check the password',
    cause,
  })
  t.ok(isAgentError(error))
  t.ok(isAgentError(error, 'model.parse_failed', 'network.broker_refused'))
  t.notOk(isAgentError(error, 'model.parse_failed'))
  t.notOk(isAgentError(cause))
  t.end()
})

t.test('wrapping keeps a coded error and codes anything else', (t) => {
  const coded = new AgentError('resource.disk_full', 'full')
  t.equal(wrapError(coded, 'camera.open_failed', 'opening'), coded)
  const wrapped = wrapError(new Error('two\n  lines'), 'camera.open_failed', 'cannot open /dev/video0')
  t.equal(wrapped.message, 'cannot open /dev/video0: two lines')
  t.equal(wrapped.code, 'camera.open_failed')
  t.equal(messageOf('text'), 'text')
  t.end()
})

t.test('the system error code is found only where there is one', (t) => {
  t.equal(systemCodeOf(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  t.equal(systemCodeOf(Object.assign(new Error('x'), { code: 5 })), undefined)
  t.equal(systemCodeOf(new Error('x')), undefined)
  t.equal(systemCodeOf('ENOENT'), undefined)
  t.end()
})
