import t from 'tap'
import { isSha256 } from '../../src/base/sha256.js'

const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

t.test('a digest is 64 lower-case hexadecimal digits', (t) => {
  t.ok(isSha256(abc))
  for (const text of ['', abc.toUpperCase(), abc.slice(1), `${abc}0`, abc.replace('b', 'g')])
    t.notOk(isSha256(text))
  t.end()
})
