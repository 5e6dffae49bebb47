/**
 * Models that compute boxes only where something was seen.
 *
 *      class logits [1, h, w, classes] --- best of each tile >= threshold? --- numbers of the tiles that pass [T]
 *      feature map [1, h, w, C] ------------- those tiles alone ------------- box logits [T, tile h, tile w, 64]
 *
 * The map is cut into tiles of one size, numbered row by row; those at the right and lower edge may reach beyond it.
 * Invariant: a box that is computed has the very logits that the whole map would have there.
 */

/** How the boxes of one level come. */
export interface BoxTiles {
  /** Output int32 `[T]`: the numbers of the tiles that `box` holds, in its order. */
  readonly name: string
  /** Cells of a tile. */
  readonly height: number
  readonly width: number
}

/** What a file says of its boxes. */
export interface LazyBoxes {
  /** Input float32 `[1]`: the class logit from which boxes are computed. */
  readonly threshold: string
  readonly levels: readonly LazyLevel[]
}

export interface LazyLevel {
  /** Output of box logits, by tiles. */
  readonly box: string
  /** Output of class logits, which says where boxes are computed. */
  readonly cls: string
  readonly tiles: BoxTiles
}

const metadataKey = 'yolo_edge.lazy_boxes'

/** `lazy` as a metadata entry of a model file. */
export function lazyBoxesEntry(lazy: LazyBoxes): readonly [string, string] {
  return [metadataKey, JSON.stringify(lazy)]
}

/** What a file's metadata say of lazy boxes; undefined where they say nothing that can be read. */
export function lazyBoxesOf(metadata: ReadonlyMap<string, string>): LazyBoxes | undefined {
  let found: unknown
  try {
    found = JSON.parse(metadata.get(metadataKey) ?? 'null')
  } catch {
    return undefined
  }
  if (!isRecord(found) || typeof found['threshold'] !== 'string' || !Array.isArray(found['levels']))
    return undefined
  const levels: readonly unknown[] = found['levels']
  return levels.every(isLazyLevel) ? { threshold: found['threshold'], levels } : undefined
}

function isLazyLevel(value: unknown): value is LazyLevel {
  if (!isRecord(value) || typeof value['box'] !== 'string' || typeof value['cls'] !== 'string') return false
  const { tiles } = value
  return (
    isRecord(tiles) && typeof tiles['name'] === 'string' && isSide(tiles['height']) && isSide(tiles['width'])
  )
}

function isSide(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value > 0
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
