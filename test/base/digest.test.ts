import { join } from 'node:path'
import t from 'tap'
import { sha256Of, sha256OfFile } from '../../src/base/digest.js'

// FIPS 180-2, appendix B.1.
const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

t.test('bytes, text and files have the digest of the standard', async (t) => {
  t.equal(sha256Of('abc'), abc)
  t.equal(sha256Of(Buffer.from('abc')), abc)
  const folder = t.testdir({ file: 'abc' })
  t.equal(await sha256OfFile(join(folder, 'file')), abc)
  await t.rejects(sha256OfFile(join(folder, 'absent')), { code: 'ENOENT' })
})
