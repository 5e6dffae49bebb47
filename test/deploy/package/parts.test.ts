/** What a package says of its parts: licenses, bill of materials, sizes, and which files of a native package it takes. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { billOfMaterials } from '../../../deploy/package/bill-of-materials.js'
import { copyrightText, licenseTexts } from '../../../deploy/package/licenses.js'
import { copyNativePackages } from '../../../deploy/package/native-packages.js'
import { type Package, PackageShelf } from '../../../deploy/package/packages.js'
import { sizesOf, sizeTable } from '../../../deploy/package/sizes.js'
import { targets } from '../../../deploy/package/target.js'
import { projectRoot } from '../../helpers/paths.js'

function part(name: string, folder: string, license?: string): Package {
  return {
    name,
    version: '1.2.3',
    folder,
    license,
    integrity: `sha512-${Buffer.from('digest').toString('base64')}`,
  }
}

t.test('a license that several packages share stands once, below all their names', (t) => {
  const folder = t.testdir({ a: { LICENSE: 'one text\r\n' }, b: { 'license.md': 'one text' }, c: {} })
  const parts = [
    part('a', join(folder, 'a'), 'MIT'),
    part('b', join(folder, 'b'), 'MIT'),
    part('c', join(folder, 'c')),
  ]
  const text = licenseTexts('ours', parts)
  t.equal(text.split('one text').length, 2)
  t.match(text, /a 1\.2\.3, b 1\.2\.3/)
  t.match(copyrightText(parts), /c 1\.2\.3: no license declared \(the package holds no license text\)/)
  t.end()
})

t.test('a bill of materials depends on what it lists, and on nothing else', (t) => {
  const parts = [part('@scope/b', '/b', 'Apache-2.0 AND LGPL-3.0-or-later'), part('a', '/a', 'MIT')]
  const models = [{ name: 'parts.onnx', bytes: Buffer.from('model') }]
  const product = { version: '1.0.0', arch: 'arm64', moment: 1_000_000_000 }
  const text = billOfMaterials(product, parts, models)
  t.equal(
    text,
    billOfMaterials(product, [...parts].reverse(), models),
    'the order of the parts does not show',
  )
  t.not(text, billOfMaterials({ ...product, arch: 'amd64' }, parts, models))
  const bill = JSON.parse(text) as Record<string, unknown> & { components: Record<string, unknown>[] }
  t.match(bill, {
    bomFormat: 'CycloneDX',
    serialNumber: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    metadata: { timestamp: '2001-09-09T01:46:40.000Z' },
  })
  t.same(
    bill.components.map(({ purl, licenses, hashes }) => [purl, licenses, hashes !== undefined]),
    [
      [undefined, undefined, true],
      ['pkg:npm/%40scope/b@1.2.3', [{ expression: 'Apache-2.0 AND LGPL-3.0-or-later' }], true],
      ['pkg:npm/a@1.2.3', [{ license: { id: 'MIT' } }], true],
    ],
  )
  t.end()
})

t.test('every file is counted once', (t) => {
  const folder = t.testdir()
  const put = (path: string, bytes: number): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), Buffer.alloc(bytes))
  }
  put('usr/lib/yolo-edge/bin/node', 3_000_000)
  put('usr/lib/yolo-edge/node_modules/@img/sharp-libvips-linux-x64/lib/a.so', 2_000_000)
  put('usr/lib/yolo-edge/node_modules/sharp/index.js', 1_000_000)
  put('etc/yolo-edge/environment', 500_000)
  put('DEBIAN/control', 9_000_000)
  const parts = sizesOf(folder)
  t.equal(
    [...parts.values()].reduce((sum, bytes) => sum + bytes, 0),
    6_500_000,
  )
  const table = sizeTable([{ name: 'x.deb', fileBytes: 1_230_000, parts }])
  t.match(table, /\| \*\*installed\*\* \| 6\.50 \|/)
  t.match(table, /without Node\.js\*\* \| 3\.50 \|/)
  t.match(table, /download\*\* \| 1\.23 \|/)
  t.end()
})

t.test('of a native package only what this machine loads is taken', (t) => {
  const own = targets.find(({ cpu }) => cpu === process.arch)
  if (own === undefined) {
    t.pass('no package is made for this architecture')
    t.end()
    return
  }
  const folder = t.testdir()
  const shelf = new LocalShelf(projectRoot, folder)
  const modules = join(folder, 'node_modules')
  const packages = copyNativePackages(shelf, own, modules)
  const files = readdirSync(modules, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(modules.length + 1))
  t.same(
    files.filter((name) => /\.d\.[cm]?ts$|\.map$|\.md$|\.cc$|win32|darwin|musl/.test(name)),
    [],
  )
  t.same(
    packages.filter(({ name }) => ['typescript', 'adm-zip', 'global-agent'].includes(name)),
    [],
  )
  t.ok(existsSync(join(modules, 'onnxruntime-node/bin/napi-v6/linux', process.arch, 'libonnxruntime.so.1')))
  t.equal(files.filter((name) => name.endsWith('koffi.node')).length, 1)
  t.end()
})

/** Takes the packages of this machine's platform from the checkout, so that the test asks no registry. */
class LocalShelf extends PackageShelf {
  override foreign(name: string): Package {
    return this.installed(`node_modules/${name}`)
  }
}
