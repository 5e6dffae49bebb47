/**
 * Spans of hours that come again every week, such as `mon-fri 22:00-05:00`, in the local time of the machine.
 * Invariant: a text that is read names at least one minute of each of its days, and what is read always opens again within a week.
 */

/** Hours of some days of the week. */
export interface WeeklyHours {
  /** The days on which the span begins: 0 is Sunday, 6 is Saturday, as in `Date.getDay`. */
  readonly days: ReadonlySet<number>
  /** Minutes after midnight, 0..1439. */
  readonly startMinute: number
  /** Minutes after the midnight before the start: above 1440 where the span ends on the next day. */
  readonly endMinute: number
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const minutesPerDay = 24 * 60

/** How a span is written. */
export const weeklyHoursExpected = 'hours such as 22:00-05:00, mon-fri 01:00-04:30 or sat,sun 00:00-24:00'

/** Reads `[DAYS ]HH:MM-HH:MM`; an end that is not after the start lies on the next day. undefined for anything else. */
export function parseWeeklyHours(text: string): WeeklyHours | undefined {
  const [, dayText, start = '', end = ''] =
    /^(?:(\S+)\s+)?(\d{2}:\d{2})\s*-\s*(\d{2}:\d{2})$/.exec(text.trim().toLowerCase()) ?? []
  const startMinute = minuteOf(start)
  const endMinute = minuteOf(end)
  const days = dayText === undefined ? new Set(dayNames.keys()) : parseDays(dayText)
  if (startMinute === undefined || endMinute === undefined || days === undefined) return undefined
  if (startMinute === minutesPerDay || startMinute === endMinute) return undefined
  return { days, startMinute, endMinute: endMinute > startMinute ? endMinute : endMinute + minutesPerDay }
}

function minuteOf(text: string): number | undefined {
  const [hours = Number.NaN, minutes = Number.NaN] = text.split(':').map(Number)
  const minute = hours * 60 + minutes
  return minutes < 60 && minute <= minutesPerDay ? minute : undefined
}

/** `mon-fri`, `sat,sun`, `fri-mon,wed`. */
function parseDays(text: string): ReadonlySet<number> | undefined {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [first, last = first, ...rest] = part.split('-').map((name) => dayNames.indexOf(name))
    if (first === undefined || last === undefined || first < 0 || last < 0 || rest.length > 0)
      return undefined
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day)
      if (day === last) break
    }
  }
  return days
}

/** The next moment, in wall milliseconds, at or after `fromMs` that lies in one of `spans`; undefined without spans. */
export function nextWithin(spans: readonly WeeklyHours[], fromMs: number): number | undefined {
  const moments = spans.flatMap((span) => momentsOf(span, fromMs))
  return moments.length === 0 ? undefined : Math.min(...moments)
}

/** For each of a week's spans, from that of yesterday on: the first moment of it that is not before `fromMs`. */
function momentsOf({ days, startMinute, endMinute }: WeeklyHours, fromMs: number): number[] {
  const from = new Date(fromMs)
  const moments: number[] = []
  for (let offset = -1; offset <= 7; offset++) {
    const at = (minute: number): Date =>
      new Date(from.getFullYear(), from.getMonth(), from.getDate() + offset, 0, minute)
    if (!days.has(at(0).getDay())) continue
    if (at(endMinute).getTime() > fromMs) moments.push(Math.max(fromMs, at(startMinute).getTime()))
  }
  return moments
}
