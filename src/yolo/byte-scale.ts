/**
 * Logits that a model outputs as bytes.
 * Invariant: a byte stands for the very float32 number that ONNX's DequantizeLinear makes of it.
 */

/** logit = (byte - zeroPoint) * scale; scale is a float32 number above 0, zeroPoint a whole number of 0..255. */
export interface ByteScale {
  readonly scale: number
  readonly zeroPoint: number
}

export function logitOf(byte: number, { scale, zeroPoint }: ByteScale): number {
  return Math.fround((byte - zeroPoint) * scale)
}

/** The metadata of a file that says how its byte outputs are to be read. */
const metadataKey = 'yolo_edge.byte_outputs'

/** `scales` by output, as a metadata entry of a model file. */
export function byteOutputsEntry(scales: ReadonlyMap<string, ByteScale>): readonly [string, string] {
  const rows = [...scales].map(([name, { scale, zeroPoint }]) => [name, [scale, zeroPoint]] as const)
  return [metadataKey, JSON.stringify(Object.fromEntries(rows))]
}

/** The scale of the byte output `name`; undefined where the file does not say it. */
export function byteScaleOf(metadata: ReadonlyMap<string, string>, name: string): ByteScale | undefined {
  let rows: unknown
  try {
    rows = JSON.parse(metadata.get(metadataKey) ?? '{}')
  } catch {
    return undefined
  }
  const row: unknown = new Map(Object.entries(rows ?? {})).get(name)
  if (!Array.isArray(row)) return undefined
  const [scale, zeroPoint] = row as readonly unknown[]
  const isScale = typeof scale === 'number' && scale > 0 && scale === Math.fround(scale)
  const isByte =
    typeof zeroPoint === 'number' && Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255
  return isScale && isByte ? { scale, zeroPoint } : undefined
}

/** Bytes `[h * w, channels]` as floats `[channels, h * w]`. */
export function planesOfBytes(bytes: Uint8Array, channels: number, scale: ByteScale): Float32Array {
  const places = bytes.length / channels
  const planes = new Float32Array(bytes.length)
  for (let place = 0, at = 0; place < places; place++)
    for (let channel = 0; channel < channels; channel++)
      planes[channel * places + place] = logitOf(bytes[at++]!, scale)
  return planes
}
