/**
 * Complete IoU of two boxes and its derivative (Zheng et al. 2020, "Enhancing geometric factors in model learning"):
 * overlap, less the distance of the centers, less the difference of the shapes.
 * Invariant: the weight of the shape term counts as a constant in the derivative, as the authors have it.
 */

const epsilon = 1e-7

/** A box as four numbers: x1, y1, x2, y2. */
export type BoxCorners = ArrayLike<number>

/** CIoU of `box` and `truth`; where given, `slope` is filled with its derivative by the corners of `box`. */
export function completeIou(box: BoxCorners, truth: BoxCorners, slope?: Float64Array): number {
  const [x1, y1, x2, y2] = [box[0]!, box[1]!, box[2]!, box[3]!]
  const [tx1, ty1, tx2, ty2] = [truth[0]!, truth[1]!, truth[2]!, truth[3]!]
  const width = x2 - x1
  const height = y2 - y1 + epsilon
  const trueWidth = tx2 - tx1
  const trueHeight = ty2 - ty1 + epsilon
  const overlapX = Math.max(0, Math.min(x2, tx2) - Math.max(x1, tx1))
  const overlapY = Math.max(0, Math.min(y2, ty2) - Math.max(y1, ty1))
  const intersection = overlapX * overlapY
  const union = width * height + trueWidth * trueHeight - intersection + epsilon
  const iou = intersection / union

  const hullX = Math.max(x2, tx2) - Math.min(x1, tx1)
  const hullY = Math.max(y2, ty2) - Math.min(y1, ty1)
  const diagonal = hullX * hullX + hullY * hullY + epsilon
  const offX = tx1 + tx2 - x1 - x2
  const offY = ty1 + ty2 - y1 - y2
  const distance = (offX * offX + offY * offY) / 4

  const angle = Math.atan(trueWidth / trueHeight) - Math.atan(width / height)
  const shape = (4 / Math.PI ** 2) * angle * angle
  const weight = shape / (shape - iou + 1 + epsilon)

  if (slope !== undefined) {
    const meet = overlapX > 0 && overlapY > 0
    const byWidth = ((-8 / Math.PI ** 2) * angle * height) / (width * width + height * height)
    const byHeight = ((8 / Math.PI ** 2) * angle * width) / (width * width + height * height)
    const changes: readonly (readonly [number, number, number, number, number])[] = [
      [meet && x1 > tx1 ? -overlapY : 0, -height, x1 < tx1 ? -2 * hullX : 0, -offX / 2, -byWidth],
      [meet && y1 > ty1 ? -overlapX : 0, -width, y1 < ty1 ? -2 * hullY : 0, -offY / 2, -byHeight],
      [meet && x2 < tx2 ? overlapY : 0, height, x2 > tx2 ? 2 * hullX : 0, -offX / 2, byWidth],
      [meet && y2 < ty2 ? overlapX : 0, width, y2 > ty2 ? 2 * hullY : 0, -offY / 2, byHeight],
    ]
    for (const [at, [dIntersection, dArea, dDiagonal, dDistance, dShape]] of changes.entries()) {
      const dUnion = dArea - dIntersection
      slope[at] =
        (dIntersection * union - intersection * dUnion) / (union * union) -
        (dDistance * diagonal - distance * dDiagonal) / (diagonal * diagonal) -
        weight * dShape
    }
  }
  return iou - distance / diagonal - weight * shape
}
