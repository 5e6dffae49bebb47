/** Where tests find files. Invariant: paths are absolute, whatever folder the test runs in. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout (this file runs as dist/test/helpers/paths.js). */
export const projectRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** A file below test/fixtures. */
export function fixture(...parts: readonly string[]): string {
  return join(projectRoot, 'test', 'fixtures', ...parts)
}

/** A file of the reference material that lies beside the checkout: real models, images and videos. */
export function shared(...parts: readonly string[]): string {
  return join(projectRoot, '..', 'shared', ...parts)
}

/** The reason to skip a test that needs reference material, or false where it is present. */
export function skipWithout(...parts: readonly string[]): string | false {
  return existsSync(shared(...parts))
    ? false
    : `reference material ${parts.join('/')} is not beside the checkout`
}
