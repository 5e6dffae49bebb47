/**
 * Which class of a model each class of a data set is.
 * Invariant: where both sides have real names, a name decides and never its place in a list; what cannot be matched is
 * refused with both lists.
 */

/** How the classes of a data set were found among those of a model. */
export interface ClassMatch {
  /** Class index of the data set -> class index of the model; undefined where the model has no such class. */
  readonly toModel: readonly (number | undefined)[]
  /** Names of the data set that no class of the model has, in the data set's order. */
  readonly unknown: readonly string[]
  /** What a person should know of it: another order, numbers instead of names. */
  readonly remark: string | undefined
}

/** `class_0`, `class1`, `0`: a name that only repeats its place. */
function isNumbered(names: readonly string[]): boolean {
  return names.every((name, index) => new RegExp(`^(class[ _-]?)?${index}$`, 'i').test(name))
}

/** Spelling that tools change on the way: case, and what stands between two words. */
function spelling(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ')
}

/**
 * Matches by name: letter by letter first, then without case, spaces, underscores and hyphens. Where one side has
 * numbers for names (a data set with `nc` alone, an export without metadata) and both have as many, by index.
 */
export function matchClasses(names: readonly string[], modelNames: readonly string[]): ClassMatch {
  const byIndex = names.map((_, index) => index)
  const same = names.length === modelNames.length
  if (same && names.every((name, index) => name === modelNames[index])) {
    return { toModel: byIndex, unknown: [], remark: undefined }
  }
  if (same && (isNumbered(names) || isNumbered(modelNames))) {
    const side = isNumbered(names) ? 'the data set' : 'the model'
    return {
      toModel: byIndex,
      unknown: [],
      remark: `${side} has no class names: classes are matched by index`,
    }
  }
  const exact = indexByName(modelNames, (name) => name)
  const loose = indexByName(modelNames, spelling)
  const toModel = names.map((name) => exact.get(name) ?? loose.get(spelling(name)))
  const unknown = names.filter((_, index) => toModel[index] === undefined)
  const moved = toModel.some((to, from) => to !== undefined && to !== from)
  return {
    toModel,
    unknown,
    remark: moved ? 'classes are not in the order of the model: matched by name' : undefined,
  }
}

/** Names that more than one class has are ambiguous and left out. */
function indexByName(names: readonly string[], keyOf: (name: string) => string): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  const repeated = new Set<string>()
  for (const [index, name] of names.entries()) {
    const key = keyOf(name)
    if (found.has(key)) repeated.add(key)
    else found.set(key, index)
  }
  for (const key of repeated) found.delete(key)
  return found
}

/** More names than this in one sentence help nobody. */
const namesShown = 12

/** `3 classes (nut, bolt, gear)`; of a long list the first names and an ellipsis. */
export function classList(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).join(', ')
  const rest = names.length > namesShown ? ', ...' : ''
  return `${names.length} ${names.length === 1 ? 'class' : 'classes'} (${shown}${rest})`
}
