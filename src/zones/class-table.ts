/**
 * Numbers of class names that hold over models: another model may have the same classes in another order.
 * Invariant: a number belongs to one name for as long as the table lives; only classes that were seen have one, and at most
 * `classesMax` of them: what is seen beyond that counts as `otherClass`.
 */

const classesMax = 1000
/** The name under which classes beyond the limit count. */
const otherClass = 'other classes'

export class ClassTable {
  readonly #names: string[] = []
  readonly #numbers = new Map<string, number>()
  #classNames: readonly string[] | undefined
  /** Of each class of the present model its number, -1 for one that was not seen yet. */
  #ofModel = new Int32Array(0)

  /** Names by number. */
  get names(): readonly string[] {
    return this.#names
  }

  /** From now on class indices are those of `classNames`. */
  use(classNames: readonly string[]): void {
    if (classNames === this.#classNames) return
    this.#classNames = classNames
    this.#ofModel = new Int32Array(classNames.length).fill(-1)
  }

  /** The number of a class of the present model. */
  numberOf(classIndex: number): number {
    const known = classIndex < this.#ofModel.length ? this.#ofModel[classIndex]! : -1
    if (known >= 0) return known
    const number = this.#add(this.#classNames?.[classIndex] ?? `class ${classIndex}`)
    if (classIndex < this.#ofModel.length) this.#ofModel[classIndex] = number
    return number
  }

  #add(name: string): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    if (this.#names.length >= classesMax && name !== otherClass) return this.#add(otherClass)
    this.#numbers.set(name, this.#names.length)
    this.#names.push(name)
    return this.#names.length - 1
  }
}
