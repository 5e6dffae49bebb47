/**
 * Addresses that may hold credentials, `rtsp://user:password@host/path`, taken apart in one place for every use.
 * Invariant: `shown` holds no character of the credentials, also where the address is not well formed; what cannot be read
 * with certainty has a `problem`, and is not to be opened.
 */

/** Stands where credentials stood. */
export const hiddenMark = '***'

/** One address, as RFC 3986 divides it: `scheme://user:password@host/path?query`. */
export interface Address {
  /** The address as a person may see it. */
  readonly shown: string
  /** Texts that must not be printed: credentials as they were written and as they are meant. */
  readonly secrets: readonly string[]
  /** Why it cannot be read with certainty, and what to write instead; undefined when it can. */
  readonly problem: string | undefined
}

const encodeRemedy =
  'a user name or password that contains / # ? @ % or a space has to be percent-encoded (%2F %23 %3F %40 %25 %20)'

/** Names of parameters whose value is a secret: `password`, `access_token`, `usr`. */
const secretName = '[a-z0-9-]*(?:pass|pwd|token|key|secret|auth|credential|login|user|usr|sig)[a-z0-9-]*='
/** Cameras take parameters in the path too: `/user=admin_password=x_channel=1`. */
const secretParameter = new RegExp(`[?&#/;_]${secretName}`, 'i')
const secretParameters = new RegExp(`([?&#/;_]${secretName})(?:(?!_[a-z]+=)[^&#/;\\s'"])*`, 'gi')

/** Where credentials end: the index of the last `@`, or -1 where `rest`, what follows `scheme://`, holds none. */
function endOfCredentials(rest: string): number {
  const end = rest.lastIndexOf('@')
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? ''
  // A path may hold an @, as in host/mail@home; with a colon before it, it may as well be the end of a password.
  return authority.includes('@') || rest.slice(0, Math.max(0, end)).includes(':') ? end : -1
}

function problemOf(credentials: string): string | undefined {
  if (credentials.includes(hiddenMark)) return `its credentials are hidden (${hiddenMark}): put them back`
  if (/[/#?]/.test(credentials))
    return `an @ stands behind the first / ? or #: ${encodeRemedy}; an @ in a path or query is written %40`
  return /[\s\p{C}]|%(?![0-9a-f]{2})/iu.test(credentials) ? encodeRemedy : undefined
}

/** What `text` means once its percent signs are read; undefined when they mean nothing. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The texts by which `credentials` would be recognized: all of them, each half, written and meant. */
function secretsOf(credentials: string): readonly string[] {
  const cut = credentials.indexOf(':')
  const password = cut < 0 ? '' : credentials.slice(cut + 1)
  // The longer texts come first: they hold the shorter ones.
  const texts = [credentials, decoded(credentials) ?? '', password, decoded(password) ?? '']
  // A password of one or two characters would be found in every word.
  return [...new Set(texts)].filter((text) => text.length > 2)
}

/** A colon behind the host that begins no port of digits: it may stand before a password whose @ was forgotten. */
const brokenPort = /^[^:/?#[\]@]*:(?!\d*(?:[/?#]|$))/

/** Takes an address apart; text that is no address has no credentials, unless it looks like `user:password@host`. */
export function addressOf(text: string): Address {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? ''
  const rest = text.slice(scheme.length)
  const end = endOfCredentials(rest)
  if (scheme !== '' && end <= 0 && brokenPort.test(rest)) {
    const problem = `expected ${scheme}, user:password@ if any, a host, and a port of digits if any`
    return { shown: `${scheme}${hiddenMark}`, secrets: secretsOf(rest), problem }
  }
  // udp://@239.0.0.1 has none: what stands before the @ is empty.
  const credentials = end <= 0 ? undefined : rest.slice(0, end)
  const place = end <= 0 ? rest : rest.slice(end + 1)
  // A secret in a parameter may hold any mark that is not encoded: all that follows its name is hidden.
  const parameter = scheme === '' ? null : secretParameter.exec(place)
  const cut = parameter === null ? place.length : parameter.index + parameter[0].length
  const hidden = place.slice(cut)
  const userPart = credentials === undefined ? '' : `${hiddenMark}@`
  return {
    shown: `${scheme}${userPart}${place.slice(0, cut)}${hidden === '' ? '' : hiddenMark}`,
    secrets: [...secretsOf(credentials ?? ''), ...secretsOf(hidden)],
    problem: scheme === '' ? undefined : problemOf(credentials ?? (hidden === hiddenMark ? hidden : '')),
  }
}

/**
 * `text`, such as the last words of a program, without credentials: each of `secrets`, the user and password of every address
 * in it, and the values of parameters with telling names are replaced.
 */
export function redactText(text: string, secrets: readonly string[] = []): string {
  let shown = text
  for (const secret of secrets) shown = shown.replaceAll(secret, hiddenMark)
  return shown
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]+(?:@[^/?#\s@]*)*@/gi, `$1${hiddenMark}@`)
    .replaceAll(secretParameters, `$1${hiddenMark}`)
}
