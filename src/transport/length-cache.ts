/**
 * Keeps mqtt-packet's cache of lengths small. It remembers the encoding of every packet length below 16,384 that it has written, as
 * one or two bytes of a block of 8 kB which Buffer shares out: where every length comes at another time, each of them keeps a block of
 * its own, and a process that sends messages of many lengths grows by up to 128 MB. Written one after another, all of them share
 * some blocks. `findings/mqtt-packet-lengths.sh` shows both.
 * Invariant: the cache that is filled is the client's, because both have the one copy of the package that is installed.
 */

import { writeToStream } from 'mqtt-packet'

/** The first length that is not remembered. */
const lengthsEnd = 16_384
/** Bytes of the shortest PUBLISH behind its length: a topic of one character, without an identifier. */
const lengthMin = 3

let isFilled = false

/** Fills the cache, the first time that it is called; takes some 50 ms. */
export function fillLengthCache(): void {
  if (isFilled) return
  isFilled = true
  const bytes = Buffer.alloc(lengthsEnd)
  const sink = { write: () => true } as unknown as NodeJS.WritableStream
  const message = { cmd: 'publish', topic: 'a', qos: 0, retain: false, dup: false } as const
  for (let length = lengthMin; length < lengthsEnd; length++)
    writeToStream({ ...message, payload: bytes.subarray(0, length - lengthMin) }, sink)
}
