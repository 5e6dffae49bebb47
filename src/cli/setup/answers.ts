/**
 * What a new device has to be told, one answer after the other: asked of a person, or taken from options and from the settings
 * that are there. Invariant: an answer counts once it was tried; a wrong one is told in one sentence, and at a terminal asked
 * for again.
 */

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { addressOf } from '../../base/address.js'
import { AgentError, messageOf } from '../../base/errors.js'
import { trustPolicyOf } from '../../agent/trusted-keys.js'
import type { CameraConfig, Config } from '../../config/config.js'
import { parseTrustedKeys } from '../../protocol/keys.js'
import { requireName } from '../../protocol/names.js'
import { cameraFinding, foundCameras } from '../doctor/camera-findings.js'
import type { Finding } from '../doctor/finding.js'
import { brokerFinding } from '../doctor/site-findings.js'
import type { Asker } from './ask.js'

/** What the options say; undefined where they say nothing. */
export interface GivenAnswers {
  readonly broker?: string
  readonly username?: string
  readonly passwordFile?: string
  readonly device?: string
  readonly channel?: string
  /** `front=/dev/video0`. */
  readonly camera?: readonly string[]
  /** Path of a public key. */
  readonly key?: string
  /** Whether broker and cameras are contacted. */
  readonly contact: boolean
}

export interface PublicKeyFile {
  /** Its name in the folder of trusted keys. */
  readonly name: string
  readonly text: string
}

/** What was answered and tried. */
export interface Answers {
  readonly broker: Pick<Config['broker'], 'url' | 'username' | 'passwordFile'>
  readonly device: string
  readonly channel: string
  /** Undefined where they stay as they are. */
  readonly cameras: readonly CameraConfig[] | undefined
  /** Undefined where trusted keys are there already. */
  readonly key: PublicKeyFile | undefined
}

/** Where an answer comes from, in this order: an option, a person, the settings that are there. */
interface Question<T> {
  readonly text: string
  readonly flag: string
  readonly given: string | undefined
  /** What is taken for an empty answer; empty where there is none. */
  readonly proposal: string
  /** Tries an answer. Throws an AgentError whose message is for a person. */
  readonly check: (answer: string) => Promise<T> | T
}

/** Collects every answer. Throws what is wrong with one that nobody can be asked again. */
export async function collectAnswers(
  given: GivenAnswers,
  config: Config,
  { asker, isNew }: { readonly asker: Asker | undefined; readonly isNew: boolean },
): Promise<Answers> {
  const tell = (finding: Finding): void => asker?.say(`  ${finding.detail}`)
  const broker = await brokerAnswer(given, config, { asker, isNew, tell })
  const device = await answerTo(asker, {
    text: 'Name of this device',
    flag: '--device',
    given: given.device,
    proposal: config.device.id === '' ? hostname() : config.device.id,
    check: (answer) => requireName('device', answer),
  })
  const channel = await answerTo(asker, {
    text: 'Update channel',
    flag: '--channel',
    given: given.channel,
    proposal: config.device.channel,
    check: (answer) => requireName('channel', answer),
  })
  const cameras = await cameraAnswers(given, config, asker, tell)
  return { broker, device, channel, cameras, key: await keyAnswer(given, config, asker) }
}

async function answerTo<T>(asker: Asker | undefined, question: Question<T>): Promise<T> {
  const { text, flag, given, proposal, check } = question
  if (given !== undefined || asker === undefined) {
    const answer = given ?? proposal
    if (answer === '')
      throw new AgentError(
        'cli.argument_invalid',
        `${text} is not known: expected ${flag}, or a terminal to ask`,
      )
    return check(answer)
  }
  for (;;) {
    try {
      return await check(await asker.ask(text, proposal))
    } catch (thrown) {
      if (!(thrown instanceof AgentError) || thrown.code === 'cli.argument_invalid') throw thrown
      asker.say(`  ${thrown.message}`)
      if (thrown.hint !== undefined) asker.say(`  ${thrown.hint}`)
    }
  }
}

/** The finding of a look as an error, if it is a fault. */
function requireNoFault(
  finding: Finding,
  code: 'network.broker_unreachable' | 'camera.open_failed',
): Finding {
  if (finding.state !== 'fault') return finding
  throw new AgentError(code, finding.detail, { hint: finding.remedy })
}

async function brokerAnswer(
  given: GivenAnswers,
  config: Config,
  context: {
    readonly asker: Asker | undefined
    readonly isNew: boolean
    readonly tell: (finding: Finding) => void
  },
): Promise<Answers['broker']> {
  const { asker, isNew, tell } = context
  const known = config.broker.urls[0] ?? config.broker.url
  const access = {
    username: given.username ?? config.broker.username,
    passwordFile: given.passwordFile ?? config.broker.passwordFile,
  }
  return answerTo(asker, {
    text: 'Address of the MQTT broker',
    flag: '--broker',
    given: given.broker,
    proposal: isNew ? '' : known,
    check: async (answer) => {
      requireBrokerAddress(answer)
      const accessAsked = await accessAnswers(access, given, asker)
      const broker = { ...config.broker, url: answer, urls: [], ...accessAsked }
      if (given.contact) tell(requireNoFault(await brokerFinding(broker), 'network.broker_unreachable'))
      return { url: answer, ...accessAsked }
    },
  })
}

/** A user name is asked for only at a terminal; most brokers in a workshop have none. */
async function accessAnswers(
  known: { readonly username: string; readonly passwordFile: string },
  given: GivenAnswers,
  asker: Asker | undefined,
): Promise<{ readonly username: string; readonly passwordFile: string }> {
  if (asker === undefined || given.username !== undefined || given.broker !== undefined) return known
  const answer = await asker.ask(
    'User name at the broker, - for none',
    known.username === '' ? '-' : known.username,
  )
  if (answer === '-') return { username: '', passwordFile: '' }
  const file = await asker.ask('File whose first line is the password, - for none', known.passwordFile || '-')
  return { username: answer, passwordFile: file === '-' ? '' : file }
}

function requireBrokerAddress(text: string): void {
  if (/^(?:mqtt|mqtts|ws|wss):\/\/.+/.test(text) && URL.canParse(text)) return
  throw new AgentError(
    'config.value_invalid',
    `broker ${addressOf(text).shown}: expected a URL that starts with mqtt://, mqtts://, ws:// or wss://`,
  )
}

async function cameraAnswers(
  given: GivenAnswers,
  config: Config,
  asker: Asker | undefined,
  tell: (finding: Finding) => void,
): Promise<Answers['cameras']> {
  const known = config.cameras.map(({ name, source }) => `${name}=${source}`)
  if (given.camera !== undefined) return tryCameras(given.camera, config, given.contact, tell)
  if (asker === undefined) return undefined
  const found = await foundCameras()
  asker.say(found.length === 0 ? 'No video device delivers pictures here.' : 'Cameras that deliver pictures:')
  found.forEach(({ path, formats }, index) => {
    asker.say(`  ${index + 1}  ${path}  ${formats}`)
  })
  return answerTo(asker, {
    text: 'Cameras, as numbers above or as NAME=ADDRESS, with spaces between; - for none',
    flag: '--camera',
    given: undefined,
    proposal: known.length > 0 ? known.join(' ') : found.length > 0 ? '1' : '-',
    check: (answer) => {
      const entries = answer === '-' ? [] : answer.split(/\s+/)
      const named = entries.map((entry) => {
        const device = /^\d+$/.test(entry) ? found[Number(entry) - 1] : undefined
        return device === undefined ? entry : `camera${Number(entry) - 1}=${device.path}`
      })
      return tryCameras(named, config, given.contact, tell)
    },
  })
}

/** Opens each camera and waits for a picture. One that was there by its name keeps what else was set for it. */
async function tryCameras(
  entries: readonly string[],
  config: Config,
  contact: boolean,
  tell: (finding: Finding) => void,
): Promise<readonly CameraConfig[]> {
  const cameras = entries.map((entry) => {
    const [, name, source] = /^([^=:/?#@]+)=(.+)$/s.exec(entry) ?? []
    if (name === undefined || source === undefined)
      throw new AgentError(
        'config.value_invalid',
        `camera ${addressOf(entry).shown}: expected NAME=ADDRESS, such as front=/dev/video0`,
      )
    const known = config.cameras.find((camera) => camera.name === name)
    return { maxFps: 0, loop: false, ...known, name: requireName('camera', name), source }
  })
  for (const camera of contact ? cameras : [])
    tell(requireNoFault(await cameraFinding(camera), 'camera.open_failed'))
  return cameras
}

async function keyAnswer(
  given: GivenAnswers,
  config: Config,
  asker: Asker | undefined,
): Promise<PublicKeyFile | undefined> {
  const { trustedKeys, allowUnsigned } = config.security
  const { keys } = await trustPolicyOf(trustedKeys, allowUnsigned)
  const isEnough = keys.length > 0 || allowUnsigned
  if (given.key === undefined && isEnough && asker === undefined) return undefined
  return answerTo(asker, {
    text: isEnough
      ? `Public key of the fleet (*.pub), - to stay with the ${keys.length} in ${trustedKeys}`
      : 'Public key of the fleet (*.pub, made by yolo-edge keygen)',
    flag: '--key',
    given: given.key,
    proposal: isEnough ? '-' : '',
    check: async (answer) => (answer === '-' && isEnough ? undefined : readPublicKey(answer)),
  })
}

async function readPublicKey(path: string): Promise<PublicKeyFile> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (thrown) {
    throw new AgentError('trust.key_unreadable', `cannot read the public key ${path}: ${messageOf(thrown)}`)
  }
  try {
    const keys = parseTrustedKeys(text)
    if (keys.length === 0) throw new AgentError('trust.key_unreadable', 'it holds no public key')
  } catch (thrown) {
    throw new AgentError('trust.key_unreadable', `cannot use the public key ${path}: ${messageOf(thrown)}`, {
      hint: 'name the NAME.pub that yolo-edge keygen NAME has made',
    })
  }
  const name = basename(path)
  return { name: /\.(?:pub|pem|json)$/.test(name) ? name : `${name}.pub`, text }
}
