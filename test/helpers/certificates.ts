/** Certificates for tests, made by openssl. Invariant: everything lies in the folder that was given. */

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate with its key: paths of PEM files. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

/** The reason to skip a test that needs openssl, or false where it is installed. */
export function skipWithoutOpenssl(): string | false {
  return spawnSync('openssl', ['version']).error === undefined ? false : 'openssl is not installed'
}

/** An authority that signs certificates. */
export class Authority {
  readonly caFile: string
  readonly #folder: string
  readonly #keyFile: string

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.caFile = join(folder, `${name}.pem`)
    this.#keyFile = join(folder, `${name}.key`)
    openssl('req', '-x509', ...newKey, '-subj', `/CN=${name}`, '-keyout', this.#keyFile, '-out', this.caFile)
  }

  get ca(): string {
    return readFileSync(this.caFile, 'utf8')
  }

  /** A certificate whose common name is `name`, also good for a server on 127.0.0.1. */
  issue(name: string): Certificate {
    const path = (ending: string): string => join(this.#folder, `${name}.${ending}`)
    const [certFile, keyFile, request, extension] = [path('crt'), path('key'), path('csr'), path('ext')]
    writeFileSync(extension, 'subjectAltName = IP:127.0.0.1\n')
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', request)
    const signer = ['-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial']
    openssl('x509', '-req', '-in', request, ...signer, '-extfile', extension, '-days', '2', '-out', certFile)
    return { certFile, keyFile }
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' })
}
