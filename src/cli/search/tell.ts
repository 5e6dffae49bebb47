/** Told what is being done, for people: a part of 0..1, and what stands behind the bar. */
export type Tell = (fraction: number, detail: string) => void
