/**
 * The addresses of sources, taken apart.
 * Invariant: an address is either understood completely or refused; no option is ignored silently.
 * The grammar is in open-source.ts.
 */

import { addressOf } from '../base/address.js'
import { AgentError } from '../base/errors.js'
import type { DecoderPreset } from './decoder-presets.js'
import { decoderPresets, isDecoderPreset } from './decoder-presets.js'

/** The kinds of address; `path` is a file or a folder. */
export type SourceScheme = 'path' | 'network' | 'v4l2' | 'csi' | 'libcamera' | 'webcam' | 'synthetic'

/** What may follow an address. Absent: the source's default. */
export interface SourceUriOptions {
  readonly fps?: number
  readonly loop?: boolean
  readonly pace?: 'realtime' | 'max'
  readonly start_s?: number
  readonly duration_s?: number
  readonly decoder?: DecoderPreset
  readonly size?: { readonly width: number; readonly height: number }
  readonly format?: string
  readonly transport?: 'tcp' | 'udp'
  readonly seed?: number
  readonly stall_s?: number
}

export interface SourceAddress {
  readonly scheme: SourceScheme
  /** A path, a URL, a device or a number, without options. */
  readonly target: string
  readonly options: SourceUriOptions
  /** The address as it may be shown, without options. */
  readonly label: string
  /** Texts of the address that must not be printed. */
  readonly secrets: readonly string[]
}

const networkSchemes = ['rtsp', 'rtsps', 'rtmp', 'http', 'https', 'udp', 'tcp', 'srt'] as const
const knownForms =
  'a file or folder, file:///path, rtsp://, rtsps://, rtmp://, http://, https://, udp://, tcp://, srt://, ' +
  '/dev/video0, v4l2:///dev/video0, csi://0, libcamera://0, webcam:///dev/video0, synthetic://'

/** The error for an address that cannot be used. */
export function sourceInvalid(address: string, problem: string): AgentError {
  return new AgentError(
    'camera.source_invalid',
    `cannot use ${addressOf(address).shown} as a camera: ${problem}`,
  )
}

function numberFrom(text: string, least: number): number | undefined {
  const value = text === '' ? Number.NaN : Number(text)
  return Number.isFinite(value) && value >= least ? value : undefined
}

function oneOf<T extends string>(text: string, words: readonly T[]): T | undefined {
  return words.find((word) => word === text)
}

function sizeFrom(text: string): { width: number; height: number } | undefined {
  const match = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(text)
  return match === null ? undefined : { width: Number(match[1]), height: Number(match[2]) }
}

/** Option -> its reader (undefined: refused), and what is expected. */
const optionTable = {
  fps: { read: (text) => numberFrom(text, 0.001), expected: 'frames per second, above 0' },
  loop: {
    read: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
    expected: 'true or false',
  },
  pace: { read: (text) => oneOf(text, ['realtime', 'max'] as const), expected: 'realtime or max' },
  start_s: { read: (text) => numberFrom(text, 0), expected: 'seconds, 0 or more' },
  duration_s: { read: (text) => numberFrom(text, 0.001), expected: 'seconds, above 0' },
  decoder: {
    read: (text) => (isDecoderPreset(text) ? text : undefined),
    expected: `one of ${decoderPresets.join(', ')}`,
  },
  size: { read: sizeFrom, expected: 'WIDTHxHEIGHT in pixels' },
  format: {
    read: (text) => (/^[a-z0-9_]{2,20}$/.test(text) ? text : undefined),
    expected: 'a pixel format such as mjpeg or yuyv422',
  },
  transport: { read: (text) => oneOf(text, ['tcp', 'udp'] as const), expected: 'tcp or udp' },
  seed: { read: (text) => numberFrom(text, 0), expected: 'a number, 0 or more' },
  stall_s: { read: (text) => numberFrom(text, 0.1), expected: 'seconds, 0.1 or more' },
} as const satisfies {
  readonly [Key in keyof SourceUriOptions]-?: {
    readonly read: (text: string) => SourceUriOptions[Key] | undefined
    readonly expected: string
  }
}

function isOptionName(name: string): name is keyof typeof optionTable {
  return Object.hasOwn(optionTable, name)
}

/** Kind of address -> the options that mean something there. */
const optionsOf: Readonly<Record<SourceScheme, readonly (keyof SourceUriOptions)[]>> = {
  path: ['fps', 'loop', 'pace', 'start_s', 'duration_s', 'decoder', 'stall_s'],
  network: ['fps', 'decoder', 'transport', 'stall_s'],
  v4l2: ['fps', 'size', 'format', 'decoder', 'stall_s'],
  csi: ['fps', 'size', 'stall_s'],
  libcamera: ['fps', 'size', 'stall_s'],
  webcam: ['fps', 'size', 'stall_s'],
  synthetic: ['fps', 'size', 'seed', 'stall_s'],
}

function optionsFrom(address: string, scheme: SourceScheme, query: string): SourceUriOptions {
  const options: Record<string, unknown> = {}
  for (const [name, text] of new URLSearchParams(query)) {
    if (!isOptionName(name) || !optionsOf[scheme].includes(name)) {
      const known = optionsOf[scheme].join(', ')
      throw sourceInvalid(address, `the option ${name} has no meaning here; expected one of ${known}`)
    }
    const { read, expected } = optionTable[name]
    const value = read(text)
    if (value === undefined)
      throw sourceInvalid(address, `the option ${name} is ${JSON.stringify(text)}; expected ${expected}`)
    options[name] = value
  }
  return options
}

/** Splits `text` at the first of `marks` after which only `name=value` pairs follow. */
function splitOptions(text: string, marks: RegExp): { body: string; query: string } {
  const match = marks.exec(text)
  if (match === null) return { body: text, query: '' }
  return { body: text.slice(0, match.index), query: text.slice(match.index + 1) }
}

/** The part before the first `/`: credentials, a name, a number or `[IPv6]`, and a port. A listener may leave out its host. */
const hostAndPort = /^[^/]*\/\/(?:[^/?#]*@)?(?:\[[^\]/?#]*\]|[^:/?#[\]]*)(?::\d{0,5})?(?:[/?#]|$)/

const hashOptions = /#(?=[a-z_]+=[^/]*$)/
const anyOptions = /[?#]/

/** What `rest`, behind one of our own schemes, means. */
function ownTarget(address: string, scheme: string, rest: string): [SourceScheme, string] {
  switch (scheme) {
    case 'file':
      if (!rest.startsWith('/')) throw sourceInvalid(address, 'expected file:// and an absolute path')
      return ['path', rest]
    case 'v4l2':
    case 'webcam':
      return [scheme, deviceFrom(address, rest, scheme === 'webcam')]
    case 'csi':
    case 'libcamera':
      if (!/^\d{0,2}$/.test(rest))
        throw sourceInvalid(address, `expected ${scheme}:// and the camera's number`)
      return [scheme, rest === '' ? '0' : rest]
    case 'synthetic':
      return [scheme, rest]
    default:
      throw sourceInvalid(address, `${scheme}:// is not known; expected ${knownForms}`)
  }
}

function decoded(address: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // The only thing it throws: a percent sign without two hexadecimal digits behind it.
    throw sourceInvalid(address, 'expected %25 where a percent sign is meant')
  }
}

/** Folders below /dev, and names there, that are no devices. */
const plainBelowDev = /^\/dev\/(?:shm|mqueue|fd|std(?:in|out|err))(?:\/|$)/

function targetOf(address: string, scheme: string | undefined, body: string): [SourceScheme, string] {
  if (scheme === undefined) {
    // Besides /dev/video0: links that udev makes, /dev/v4l/by-id/... and those of an installer's own rules.
    if (/^\/dev\/./.test(body) && !plainBelowDev.test(body)) return ['v4l2', deviceFrom(address, body, false)]
    return body === 'synthetic' ? ['synthetic', ''] : ['path', body]
  }
  if (oneOf(scheme, networkSchemes) !== undefined) return ['network', body]
  return ownTarget(address, scheme, decoded(address, body.slice(scheme.length + 3)))
}

/**
 * Takes an address apart; `isLooped` adds the option `loop=true`. Throws `camera.source_invalid`, naming what is known. Reads nothing
 * from the disk.
 */
export function parseSourceUri(address: string, isLooped = false): SourceAddress {
  if (address === '') throw sourceInvalid('""', `expected ${knownForms}`)
  const schemeName = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase()
  const isNetwork = schemeName !== undefined && oneOf(schemeName, networkSchemes) !== undefined
  const { problem, secrets } = addressOf(address)
  if (isNetwork && problem !== undefined) throw sourceInvalid(address, problem)
  if (isNetwork && !hostAndPort.test(address))
    throw sourceInvalid(address, `expected ${schemeName}://, a host, and a port of digits if any`)
  if (/\p{Cc}/u.test(address))
    throw sourceInvalid(address, 'it holds a line break or another control character')
  const mayHaveQuery = schemeName === undefined || isNetwork
  const { body, query } = splitOptions(address, mayHaveQuery ? hashOptions : anyOptions)
  const [scheme, target] = targetOf(address, schemeName, body)
  const options = optionsFrom(address, scheme, isLooped ? `${query}&loop=true` : query)
  return { scheme, target, options, label: addressOf(body).shown, secrets }
}

/** The device of fswebcam that gives its own test picture. */
export const testDevice = 'TEST'

/** `0`, `/dev/video0` or nothing -> a device path. */
function deviceFrom(address: string, text: string, isWebcam: boolean): string {
  if (isWebcam && text === testDevice) return text
  if (/^\d{0,2}$/.test(text)) return `/dev/video${text === '' ? '0' : text}`
  // The characters that udev leaves in the names of links, by-path's colons among them.
  const isDevice = /^\/?dev\/[\p{L}\p{N} _#+.:=@/\\-]+$/u.test(text) && !/(?:^|\/)\.\.(?:\/|$)/.test(text)
  if (isDevice) return text.startsWith('/') ? text : `/${text}`
  throw sourceInvalid(address, 'expected a device such as /dev/video0 or /dev/v4l/by-id/NAME, or its number')
}
