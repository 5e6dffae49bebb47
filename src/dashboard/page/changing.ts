/**
 * What a component takes that draws a record which changes in place.
 * Invariant: with the same properties a component is not drawn again, so what changes in place comes with a number that rises.
 */
export interface Changing {
  readonly changes: number
}
