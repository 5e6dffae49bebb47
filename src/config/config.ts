/** The configuration as the rest of the program sees it: one frozen object, camelCase, with units in the names. */

import type { CameraConfig } from './formats.js'
import type { Setting, settings } from './schema.js'

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S

type Widened<T> = T extends number ? (number extends T ? number : T) : T

type Section<S> = {
  readonly [K in keyof S & string as CamelCase<K>]: S[K] extends Setting<infer T> ? Widened<T> : never
}

type Sections = { readonly [K in keyof typeof settings]: Section<(typeof settings)[K]> }

export interface Config extends Sections {
  readonly cameras: readonly CameraConfig[]
}

export type { CameraConfig } from './formats.js'
