/**
 * What a package is made of, as CycloneDX 1.5 JSON (https://cyclonedx.org/docs/1.5/json/).
 * Invariant: the same parts give the same bytes: no moment and no random number but what the caller gives.
 */

import { createHash } from 'node:crypto'
import type { Package } from './packages.js'

/** A file of the package that is a part of its own, such as a model. */
export interface ModelFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** The bill of `version` for the machine `arch`; `moment` is its time, seconds since 1970. */
export function billOfMaterials(
  product: { readonly version: string; readonly arch: string; readonly moment: number },
  packages: readonly Package[],
  models: readonly ModelFile[],
): string {
  const { version, arch, moment } = product
  const components = [...packages.map(libraryOf), ...models.map(modelOf)].sort((a, b) =>
    a['bom-ref'] < b['bom-ref'] ? -1 : 1,
  )
  const digest = createHash('sha256')
    .update(JSON.stringify([product, components]))
    .digest('hex')
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(digest)}`,
    version: 1,
    metadata: {
      timestamp: new Date(moment * 1000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': `yolo-edge@${version}`,
        name: 'yolo-edge',
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
        properties: [{ name: 'debian:architecture', value: arch }],
      },
    },
    components,
    dependencies: [{ ref: `yolo-edge@${version}`, dependsOn: components.map((part) => part['bom-ref']) }],
  }
  return `${JSON.stringify(bill, null, 2)}\n`
}

function libraryOf({ name, version, license, integrity }: Package): { readonly 'bom-ref': string } {
  const address = `pkg:npm/${name.replace('@', '%40')}@${version}`
  const hash = integrity?.startsWith('sha512-') === true ? integrity.slice('sha512-'.length) : undefined
  return {
    'bom-ref': address,
    type: 'library',
    name,
    version,
    ...(license === undefined ? {} : { licenses: [licenseOf(license)] }),
    ...(hash === undefined
      ? {}
      : { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
    purl: address,
  } as { readonly 'bom-ref': string }
}

/** One identifier of SPDX, or an expression of several. */
function licenseOf(license: string): unknown {
  return license.includes(' ') ? { expression: license } : { license: { id: license } }
}

function modelOf({ name, bytes }: ModelFile): { readonly 'bom-ref': string } {
  return {
    'bom-ref': `model:${name}`,
    type: 'machine-learning-model',
    name,
    hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(bytes).digest('hex') }],
  } as { readonly 'bom-ref': string }
}

/** A version 4 UUID in form, made of a digest: RFC 9562, section 5.4. */
function uuidOf(digest: string): string {
  const variant = ((parseInt(digest[16]!, 16) & 3) | 8).toString(16)
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `4${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join('-')
}
