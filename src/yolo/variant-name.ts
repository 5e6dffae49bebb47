/** How variants are called everywhere: in bundles, in searches and as files. Invariant: made of characters that file names and manifests take. */

/** What a variant is named after. */
export interface VariantTraits {
  /** `fp32`, `fp16`, `int8`. */
  readonly precision: string
  /** Of int8: the hardware that its integers are laid out for. */
  readonly target?: string | undefined
  /** Input size in pixels. */
  readonly width: number
  readonly height: number
}

/** `int8-x64-vnni-640`, `fp32-640x480`: precision, target, and the input size, one number where it is square. */
export function variantName({ precision, target, width, height }: VariantTraits): string {
  const size = width === height ? String(width) : `${width}x${height}`
  return [precision, target, size].filter((part) => part !== undefined).join('-')
}
