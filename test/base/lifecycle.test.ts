import t from 'tap'
import { Lifecycle, type Service } from '../../src/base/lifecycle.js'
import { silentLogger } from '../../src/base/logger.js'

function recorded(name: string, events: string[], fails?: 'start' | 'stop'): Service {
  const step = (what: 'start' | 'stop') => (): Promise<void> => {
    events.push(`${what} ${name}`)
    return fails === what ? Promise.reject(new Error(`${name} cannot ${what}`)) : Promise.resolve()
  }
  return { name, start: step('start'), stop: step('stop') }
}

t.test('services stop once, newest first, and one that fails does not keep the others', async (t) => {
  const events: string[] = []
  const failures: string[] = []
  const lifecycle = new Lifecycle()
  await lifecycle.start(recorded('a', events))
  await lifecycle.start(recorded('b', events, 'stop'))
  await t.rejects(lifecycle.start(recorded('c', events, 'start')))
  const stopping = lifecycle.stop((service) => failures.push(service.name))
  t.equal(
    lifecycle.stop(() => undefined),
    stopping,
  )
  await stopping
  t.same(events, ['start a', 'start b', 'start c', 'stop b', 'stop a'])
  t.same(failures, ['b'])
  await t.rejects(lifecycle.start(recorded('late', events)), { code: 'internal.invariant_broken' })
})

t.test('the silent logger has children and says nothing', (t) => {
  silentLogger.child({ module: 'x' }).error({}, 'nobody reads this')
  t.end()
})
