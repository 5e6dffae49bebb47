import t from 'tap'
import { isVersionCode, reasonOf } from '../../src/protocol/reason-codes.js'

/** The codes of MQTT 3.1.1, table 3.1, and of MQTT 5, section 2.4, that a CONNACK, PUBACK or DISCONNECT may carry as a refusal. */
const refusals = [
  ...[1, 2, 3, 4, 5],
  ...[
    128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 147, 149, 150, 151,
    152,
  ],
  ...[153, 154, 155, 156, 157, 159, 160],
]

t.test('every refusal that MQTT knows has a sentence of its own kind', (t) => {
  for (const code of refusals) {
    const { reason } = reasonOf(code)
    t.match(
      reason,
      /^(it|this client|user name|another client|a |an |messages|nothing|too many|the connection)/,
      `${code}`,
    )
    t.notMatch(reason, /reason code/, `${code} is known`)
  }
  t.end()
})

t.test('what a person has to change is lasting; what may pass by itself is not', (t) => {
  for (const code of [4, 5, 134, 135, 138, 154, 155]) t.ok(reasonOf(code).isLasting, `${code}`)
  for (const code of [3, 136, 137, 139, 142, 149, 151, 159]) t.notOk(reasonOf(code).isLasting, `${code}`)
  for (const code of [5, 135, 138, 142, 149, 154, 155])
    t.type(reasonOf(code).hint, 'string', `${code} has a remedy`)
  t.end()
})

t.test('a code that MQTT does not know is named by its number, and asked again', (t) => {
  t.same(reasonOf(200), { reason: 'reason code 200', isLasting: false })
  t.ok(isVersionCode(1))
  t.ok(isVersionCode(132))
  t.notOk(isVersionCode(2))
  t.notOk(isVersionCode(undefined))
  t.end()
})
