/**
 * What was counted by zones and lines, day by day, in local time.
 *
 *     zone:  entered, left, how long those that left were inside       line:  forward, backward
 *
 * The clock of a device may be wrong: not set yet after a start, or set back. A later date begins its day at once; an earlier one
 * is believed when it has held for an hour, and counting goes on in the day before until then. A day that was left by
 * mistake goes on where it was.
 * Invariant: what was counted belongs to exactly one day; a day that is kept never loses anything.
 */

/** Sums of one zone or line and class: entered, left and milliseconds inside, or forward, backward and 0. */
export type Sums = [number, number, number]

/** Sums of a camera, by the names of zones and lines, then by class. */
type EntrySums = Map<string, Map<string, Sums>>

/** One day. */
interface Day {
  /** YYYY-MM-DD. */
  readonly date: string
  readonly sums: EntrySums
}

/** The form in which it is kept: JSON. */
export interface SavedSums {
  /** The current day last. */
  readonly days: readonly {
    readonly date: string
    readonly entries: readonly (readonly [name: string, className: string, ...sums: Sums])[]
  }[]
}

const daysKept = 8
const believedAfterMs = 3_600_000

export class DaySums {
  /** In the order in which they were counted in, the current one last. */
  readonly #days: Day[]
  /** Monotonic time since which an earlier date has held. */
  #earlierSinceMs: number | undefined

  /** `saved` is what `saved()` gave before a restart, or anything else, which counts as nothing. */
  constructor(saved: unknown, wallMs: number, monotonicMs: number) {
    this.#days = daysIn(saved)
    if (this.#days.length === 0) this.#days.push({ date: dateOf(wallMs), sums: new Map() })
    this.keepTime(wallMs, monotonicMs)
  }

  /** The day that is counted in. */
  get date(): string {
    return this.#today.date
  }

  get #today(): Day {
    return this.#days[this.#days.length - 1]!
  }

  /** Goes on to the day that the clock says; called before counting, and now and then without. Returns whether it is another one. */
  keepTime(wallMs: number, monotonicMs: number): boolean {
    const date = dateOf(wallMs)
    if (date === this.date) {
      this.#earlierSinceMs = undefined
      return false
    }
    if (date < this.date) {
      this.#earlierSinceMs ??= monotonicMs
      if (monotonicMs - this.#earlierSinceMs < believedAfterMs) return false
    }
    this.#earlierSinceMs = undefined
    const index = this.#days.findIndex((day) => day.date === date)
    this.#days.push(index < 0 ? { date, sums: new Map() } : this.#days.splice(index, 1)[0]!)
    this.#days.splice(0, this.#days.length - daysKept)
    return true
  }

  /** The sums of today that grow: of the zone or line `name` and a class. */
  of(name: string, className: string): Sums {
    const { sums } = this.#today
    let classes = sums.get(name)
    if (classes === undefined) sums.set(name, (classes = new Map<string, Sums>()))
    let row = classes.get(className)
    if (row === undefined) classes.set(className, (row = [0, 0, 0]))
    return row
  }

  /** Today's sums of the zone or line `name` by class; empty where nothing was counted. */
  classesOf(name: string): ReadonlyMap<string, Readonly<Sums>> {
    return this.#today.sums.get(name) ?? new Map<string, Sums>()
  }

  /** As JSON, for the constructor of a later run. */
  saved(): SavedSums {
    return {
      days: this.#days.map(({ date, sums }) => ({
        date,
        entries: [...sums].flatMap(([name, classes]) =>
          [...classes].map(([className, row]) => [name, className, ...row] as const),
        ),
      })),
    }
  }
}

/** The local date of a moment, YYYY-MM-DD. */
function dateOf(wallMs: number): string {
  const at = new Date(wallMs)
  const pad = (value: number, digits: number): string => String(value).padStart(digits, '0')
  return `${pad(at.getFullYear(), 4)}-${pad(at.getMonth() + 1, 2)}-${pad(at.getDate(), 2)}`
}

function daysIn(saved: unknown): Day[] {
  const days = (saved as Partial<SavedSums> | null | undefined)?.days
  if (!Array.isArray(days)) return []
  return days.slice(-daysKept).flatMap((day: unknown) => {
    const { date, entries } = (day ?? {}) as { date?: unknown; entries?: unknown }
    if (typeof date !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(date) || !Array.isArray(entries)) return []
    return [{ date, sums: sumsIn(entries) }]
  })
}

function sumsIn(entries: readonly unknown[]): EntrySums {
  const sums: EntrySums = new Map()
  for (const entry of entries) {
    if (!Array.isArray(entry)) continue
    const [name, className, ...row] = entry as unknown[]
    if (typeof name !== 'string' || typeof className !== 'string') continue
    if (row.length !== 3 || !row.every((sum) => typeof sum === 'number' && sum >= 0)) continue
    const classes = sums.get(name) ?? new Map<string, Sums>()
    sums.set(name, classes.set(className, row as Sums))
  }
  return sums
}
