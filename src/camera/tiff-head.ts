/**
 * What the head of a TIFF file says of its colors and the picture library does not pass on.
 * Invariant: reads only inside the given bytes; what is no plain TIFF gives undefined.
 */

export interface TiffHead {
  /** Tag 262: 0 and 1 gray, 2 RGB, 3 palette, 5 inks, 6 YCbCr, 8 Lab, 32803 and 34892 raw. */
  readonly photometric: number
  /** Tag 259: 1 none, 7 JPEG. */
  readonly compression: number
  /** Tag 338, of the first extra sample: 0 unspecified, 1 alpha that the colors are multiplied with, 2 alpha beside them. */
  readonly extraSample: number | undefined
}

const entryBytes = 12

/** Reads the first directory of a whole file; of its entries only values of two bytes, of which it takes the first. */
export function tiffHead(file: Uint8Array): TiffHead | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.byteLength < 8) return undefined
  const order = view.getUint16(0)
  const little = order === 0x4949
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return undefined
  const at = view.getUint32(4, little)
  if (at + 2 > file.byteLength) return undefined
  const values = new Map<number, number>()
  const count = Math.min(view.getUint16(at, little), Math.floor((file.byteLength - at - 2) / entryBytes))
  for (let entry = at + 2; entry < at + 2 + count * entryBytes; entry += entryBytes)
    values.set(view.getUint16(entry, little), view.getUint16(entry + 8, little))
  const photometric = values.get(262)
  if (photometric === undefined) return undefined
  return { photometric, compression: values.get(259) ?? 1, extraSample: values.get(338) }
}
