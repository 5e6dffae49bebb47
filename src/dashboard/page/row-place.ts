/**
 * A place in a row of the table whose content changes while the row stays. Written directly: a scrolling table changes hundreds
 * of rows a second, and a description of each of them to compare with the last one is more garbage than all messages make.
 * Invariant: what is shown is text and never markup; what has not changed is not written again.
 */

export class RowPlace<E extends HTMLElement | SVGElement = HTMLElement> {
  #element: E | undefined
  #text: string | undefined
  #isShown: boolean | undefined
  readonly #attributes = new Map<string, string>()

  /** What the element is given as its `ref`. */
  readonly ref = (element: E | null): void => {
    this.#element = element ?? undefined
  }

  get element(): E | undefined {
    return this.#element
  }

  /** Shows `text` as all that is in the element. */
  say(text: string): void {
    if (text === this.#text) return
    this.#text = text
    const first = this.#element?.firstChild
    if (first instanceof Text) first.data = text
    else if (this.#element !== undefined) this.#element.textContent = text
  }

  set(name: string, value: string): void {
    if (value === this.#attributes.get(name)) return
    this.#attributes.set(name, value)
    this.#element?.setAttribute(name, value)
  }

  /** Shows the element only if `isShown`, and gives that back. */
  show(isShown: boolean): boolean {
    if (isShown !== this.#isShown) {
      this.#isShown = isShown
      this.#element?.toggleAttribute('hidden', !isShown)
    }
    return isShown
  }
}
