/** Figures as people read them. Invariant: what is not known is an en dash; the width of a figure hardly changes. */

const unknown = '–'

/** A number with `digits` behind the point. */
export function figure(value: number | undefined, digits = 0): string {
  return value === undefined || !Number.isFinite(value) ? unknown : value.toFixed(digits)
}

/** Milliseconds with as many digits as matter. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return unknown
  return value < 10 ? value.toFixed(1) : value >= 10_000 ? `${(value / 1000).toFixed(1)}k` : value.toFixed(0)
}

/** A duration such as `42 s`, `7 min`, `3 h`, `12 d`. */
export function duration(spanMs: number): string {
  if (Number.isNaN(spanMs)) return unknown
  const seconds = Math.max(0, Math.round(spanMs / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** A size in bytes as text in binary units, such as `1.5 MiB`. */
export function bytes(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return unknown
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let amount = value
  let unit = 0
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024
  return `${amount < 10 && unit > 0 ? amount.toFixed(1) : amount.toFixed(0)} ${units[unit]!}`
}

/** A share 0..1 as text in per cent. */
export function percent(value: number | undefined): string {
  return value === undefined ? unknown : `${(value * 100).toFixed(0)} %`
}

/** A state of the wire in words: `rollingBack` is `rolling back`. */
export function words(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
