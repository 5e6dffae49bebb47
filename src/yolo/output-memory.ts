/**
 * Where the outputs of a model lie: memory in which WebAssembly finds the few scores that pass a threshold, many times as
 * fast as a loop in JavaScript.
 * Invariant: an array never moves, and at least one block of the search may be read behind its end.
 */

import { kernelsOf, reserveThreadMemory, type ThreadMemory } from '../base/web-assembly.js'
import { scoreSearch } from './score-search.js'

/** So many bytes the search looks at together. */
export const blockBytes = 64

/** score-search.wat */
export interface ScoreSearch {
  bytesAbove(at: number, end: number, limit: number): number
  floatsFrom(at: number, end: number, threshold: number): number
}

/** An array where the search can reach it. */
export interface SearchedArray {
  readonly search: ScoreSearch
  /** Of its first byte. */
  readonly address: number
}

const searchOn = kernelsOf<ScoreSearch, ThreadMemory>(scoreSearch)
const searches = new WeakMap<ArrayBufferLike, ScoreSearch>()

/** Copies of `outputs`, by name, which {@link searchedArray} takes as they lie. Throws `resource.memory_exhausted`. */
export function placeOutputs(
  outputs: ReadonlyMap<string, Float32Array | Uint8Array>,
): Map<string, Float32Array | Uint8Array> {
  const buffer = reserveSearched([...outputs.values()].reduce((sum, array) => sum + roomOf(array), 0))
  let at = 0
  return new Map(
    [...outputs].map(([name, array]) => {
      const { length } = array
      const copy =
        array instanceof Float32Array
          ? new Float32Array(buffer, at, length)
          : new Uint8Array(buffer, at, length)
      copy.set(array)
      at += roomOf(array)
      return [name, copy]
    }),
  )
}

/** For arrays that lie elsewhere: they are copied here. */
let scratch = new Uint8Array(0)

/** `array` (borrowed until the next call) for the search: as it lies, or a copy. */
export function searchedArray(array: Float32Array | Uint8Array): SearchedArray {
  const search = searches.get(array.buffer)
  if (search !== undefined) return { search, address: array.byteOffset }
  if (scratch.length < roomOf(array)) scratch = new Uint8Array(reserveSearched(roomOf(array)))
  scratch.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
  return { search: searches.get(scratch.buffer)!, address: 0 }
}

function reserveSearched(bytes: number): ArrayBuffer {
  const memory = reserveThreadMemory(bytes, 'the outputs of a model')
  searches.set(memory.buffer, searchOn(memory))
  return memory.buffer
}

/** Whole blocks, and one more. */
function roomOf({ byteLength }: Float32Array | Uint8Array): number {
  return (Math.ceil(byteLength / blockBytes) + 1) * blockBytes
}
