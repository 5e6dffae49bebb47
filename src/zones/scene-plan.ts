/**
 * What a camera is told of its picture: zones, lines, areas to ignore, and limits of what counts.
 *
 *     zones:   [{name: dock, polygon: [[0.1, 0.5], [0.9, 0.5], [0.9, 1], [0.1, 1]], classes: [person], dwell_s: 2}]
 *     lines:   [{name: gate, from: [0.5, 1], to: [0.5, 0]}]
 *     masks:   [[[0, 0], [0.3, 0], [0.3, 0.1], [0, 0.1]]]
 *     filters: [{class: person, min_score: 0.5, min_area: 0.001, max_area: 0.5}]
 *
 * Invariant: points and areas are shares of the picture, so that a plan holds for every size of it; a plan that was read has no
 * polygon that crosses itself and no name twice.
 */

import { isName, nameExpected, quote } from '../protocol/names.js'
import { areaOf, crossingEdges, type Point } from './polygon.js'

/** An area in which objects are counted and watched. */
export interface ZonePlan {
  readonly name: string
  readonly polygon: readonly Point[]
  /** Names of the classes that count; all unless given. */
  readonly classes?: readonly string[]
  /** An object counts once it has been inside for so long. */
  readonly dwellMs: number
}

/** A line over which objects are counted. Forward is from the left to the right of whoever looks from `from` to `to`. */
export interface LinePlan {
  readonly name: string
  readonly from: Point
  readonly to: Point
  readonly classes?: readonly string[]
}

/** Limits of detections. */
export interface FilterPlan {
  /** Name of the class that is limited; all that have no limits of their own unless given. */
  readonly class?: string
  /** Smallest score, 0..1. */
  readonly minScore: number
  /** Smallest and largest area of a box, shares of the picture. */
  readonly minArea: number
  readonly maxArea: number
}

export interface ScenePlan {
  readonly zones: readonly ZonePlan[]
  readonly lines: readonly LinePlan[]
  /** An object that stands in one of them is ignored. */
  readonly masks: readonly (readonly Point[])[]
  readonly filters: readonly FilterPlan[]
}

/** Zones, and lines, of one camera: what its messages have room for. */
export const zonesMax = 16
const masksMax = 32
const filtersMax = 64
const cornersMax = 64
const classesMax = 100
const classNameLengthMax = 100
const dwellSecondsMax = 86_400
/** Smaller polygons are a slip of the pen: a millionth of the picture is one pixel of a camera of a megapixel. */
const areaMin = 1e-6

/** The keys of a camera in the settings that make up its plan. */
export const sceneKeys = ['zones', 'lines', 'masks', 'filters'] as const

type Entry = Readonly<Record<string, unknown>>

/** What is wrong with `entry[zones | lines | masks | filters]`, in one sentence that names the place; undefined where nothing is. */
export function sceneProblem(entry: Entry): string | undefined {
  return (
    listProblem(entry['zones'], 'zones', zonesMax, zoneProblem) ??
    listProblem(entry['lines'], 'lines', zonesMax, lineProblem) ??
    namesProblem([...listIn(entry['zones']), ...listIn(entry['lines'])]) ??
    listProblem(entry['masks'], 'masks', masksMax, polygonProblem) ??
    listProblem(entry['filters'], 'filters', filtersMax, filterProblem) ??
    filterClassesProblem(listIn(entry['filters']))
  )
}

/** The plan in `entry`, of which `sceneProblem` says nothing; undefined where it has none. */
export function scenePlanOf(entry: Entry): ScenePlan | undefined {
  if (sceneKeys.every((key) => entry[key] === undefined)) return undefined
  return {
    zones: (listIn(entry['zones']) as Entry[]).map((zone) => ({
      name: zone['name'] as string,
      polygon: zone['polygon'] as Point[],
      ...classesOf(zone),
      dwellMs: ((zone['dwell_s'] as number | undefined) ?? 0) * 1000,
    })),
    lines: (listIn(entry['lines']) as Entry[]).map((line) => ({
      name: line['name'] as string,
      from: line['from'] as Point,
      to: line['to'] as Point,
      ...classesOf(line),
    })),
    masks: listIn(entry['masks']) as Point[][],
    filters: (listIn(entry['filters']) as Entry[]).map((filter) => ({
      ...(filter['class'] !== undefined && { class: filter['class'] as string }),
      minScore: (filter['min_score'] as number | undefined) ?? 0,
      minArea: (filter['min_area'] as number | undefined) ?? 0,
      maxArea: (filter['max_area'] as number | undefined) ?? 1,
    })),
  }
}

/** `plan` as it stands in the settings. */
export function sceneEntries({ zones, lines, masks, filters }: ScenePlan): Entry {
  return {
    zones: zones.map(({ dwellMs, ...zone }) => ({ ...zone, dwell_s: dwellMs / 1000 })),
    lines,
    masks,
    filters: filters.map(({ minScore, minArea, maxArea, ...filter }) => ({
      ...filter,
      ...{ min_score: minScore, min_area: minArea, max_area: maxArea },
    })),
  }
}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : [])

function classesOf(entry: Entry): { readonly classes?: readonly string[] } {
  const { classes } = entry
  return classes === undefined ? {} : { classes: classes as string[] }
}

function listProblem(
  value: unknown,
  what: string,
  countMax: number,
  problemOf: (item: unknown) => string | undefined,
): string | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) return `${what}: expected a list, got ${quote(value)}`
  if (value.length > countMax) return `${what}: expected at most ${countMax}, got ${value.length}`
  for (const [index, item] of value.entries()) {
    const problem = problemOf(item)
    if (problem !== undefined) return `${what}: ${placeOf(item, index)}: ${problem}`
  }
  return undefined
}

/** An entry by its name where it has a usable one. */
function placeOf(item: unknown, index: number): string {
  const name = (item as Entry | null | undefined)?.['name']
  return typeof name === 'string' && isName(name) ? name : `entry ${index}`
}

function keysProblem(value: unknown, known: readonly string[]): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return `expected a map with ${known.join(', ')}, got ${quote(value)}`
  const unknownKey = Object.keys(value).find((key) => !known.includes(key))
  return unknownKey === undefined
    ? undefined
    : `unknown key ${quote(unknownKey)}; known are ${known.join(', ')}`
}

function zoneProblem(value: unknown): string | undefined {
  const problem = keysProblem(value, ['name', 'polygon', 'classes', 'dwell_s'])
  if (problem !== undefined) return problem
  const { name, polygon, classes, dwell_s: dwell } = value as Entry
  return (
    nameProblem(name) ??
    polygonProblem(polygon) ??
    classesProblem(classes) ??
    numberProblem('dwell_s', dwell, dwellSecondsMax)
  )
}

function lineProblem(value: unknown): string | undefined {
  const problem = keysProblem(value, ['name', 'from', 'to', 'classes'])
  if (problem !== undefined) return problem
  const { name, from, to, classes } = value as Entry
  const ends = nameProblem(name) ?? pointProblem('from', from) ?? pointProblem('to', to)
  if (ends !== undefined) return ends
  const [[x1, y1], [x2, y2]] = [from as Point, to as Point]
  if (x1 === x2 && y1 === y2) return `from and to are both [${x1}, ${y1}]: expected two different points`
  return classesProblem(classes)
}

function filterProblem(value: unknown): string | undefined {
  const problem = keysProblem(value, ['class', 'min_score', 'min_area', 'max_area'])
  if (problem !== undefined) return problem
  const { class: name, min_score: score, min_area: least = 0, max_area: most = 1 } = value as Entry
  const values =
    (name === undefined ? undefined : classProblem('class', name)) ??
    numberProblem('min_score', score, 1) ??
    numberProblem('min_area', least, 1) ??
    numberProblem('max_area', most, 1)
  if (values !== undefined) return values
  return (least as number) > (most as number)
    ? `min_area ${String(least)} is above max_area ${String(most)}: expected the smaller one first`
    : undefined
}

function nameProblem(name: unknown): string | undefined {
  return typeof name === 'string' && isName(name)
    ? undefined
    : `name is ${quote(name)}: expected ${nameExpected}`
}

/** Zones and lines share their names: both stand beside each other in messages and in other programs. */
function namesProblem(entries: readonly unknown[]): string | undefined {
  const seen = new Map<string, string>()
  for (const entry of entries as readonly { readonly name: string }[]) {
    const twin = seen.get(entry.name.toLowerCase())
    if (twin === entry.name) return `the name ${twin} is used twice: expected one for each zone and line`
    if (twin !== undefined) return `the names ${twin} and ${entry.name} differ only in case`
    seen.set(entry.name.toLowerCase(), entry.name)
  }
  return undefined
}

function polygonProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) return `polygon is ${quote(value)}: expected a list of points [x, y]`
  if (value.length < 3 || value.length > cornersMax)
    return `polygon has ${value.length === 1 ? '1 point' : `${value.length} points`}: expected 3 to ${cornersMax}`
  for (const [index, point] of value.entries()) {
    const problem = pointProblem(`point ${index}`, point)
    if (problem !== undefined) return problem
  }
  const points = value as Point[]
  const twin = points.findIndex(([x, y], index) => {
    const [nextX, nextY] = points[(index + 1) % points.length]!
    return x === nextX && y === nextY
  })
  if (twin >= 0)
    return `points ${twin} and ${(twin + 1) % points.length} are the same: expected each corner once, the last not repeated`
  const crossing = crossingEdges(points)
  if (crossing !== undefined)
    return `the edges behind points ${crossing[0]} and ${crossing[1]} cross: expected a polygon that does not cross itself, its corners in order`
  if (areaOf(points) < areaMin)
    return `polygon has no area: expected at least ${areaMin * 1e6} millionth of the picture`
  return undefined
}

function pointProblem(what: string, value: unknown): string | undefined {
  const isPoint =
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((part) => typeof part === 'number' && Number.isFinite(part))
  if (!isPoint) return `${what} is ${quote(value)}: expected [x, y]`
  const isInside = (value as number[]).every((part) => part >= 0 && part <= 1)
  return isInside
    ? undefined
    : `${what} is ${quote(value)}, outside the picture: expected shares of its width and height, 0..1 ([0.5, 0.5] is the middle)`
}

function classesProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || value.length > classesMax)
    return `classes is ${quote(value)}: expected a list of 1 to ${classesMax} names of classes, or none for all`
  for (const name of value) {
    const problem = classProblem('classes', name)
    if (problem !== undefined) return problem
  }
  return undefined
}

function classProblem(what: string, value: unknown): string | undefined {
  const isLine =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= classNameLengthMax &&
    !/[\u0000-\u001f\u007f]/.test(value)
  return isLine ? undefined : `${what} has ${quote(value)}: expected the name of a class of the model`
}

function filterClassesProblem(filters: readonly unknown[]): string | undefined {
  const seen = new Set<unknown>()
  for (const { class: name } of filters as readonly Entry[]) {
    if (seen.has(name))
      return `filters: ${name === undefined ? 'two have no class' : `class ${quote(name)} has two`}: expected one for each class`
    seen.add(name)
  }
  return undefined
}

function numberProblem(what: string, value: unknown, most: number): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'number' && value >= 0 && value <= most
    ? undefined
    : `${what} is ${quote(value)}: expected a number 0..${most}`
}
