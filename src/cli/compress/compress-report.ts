/** What report.json of a compression holds. Invariant: snake case, as written; report.html tells the same figures. */

export interface FileReport {
  readonly file: string
  readonly sha256: string
  readonly size_bytes: number
  readonly macs: number | null
  readonly parameters: number
  readonly operators: Readonly<Record<string, number>>
}

/** A model that came out. */
export interface ModelReport extends FileReport {
  /** Of an int8 model. */
  readonly int8_target?: string
  /** The machines that it is made for, in words. */
  readonly machines?: string
}

export interface CompressReport {
  readonly source: FileReport
  readonly models: readonly ModelReport[]
  /** What the whole compression took. */
  readonly seconds: number
  readonly steps: Readonly<Record<string, object>>
  readonly self_check?: object
}
