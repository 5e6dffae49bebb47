/**
 * What stands around the agent: providers, cameras, tools, broker, clock, disk, keys.
 * Invariant: looking changes nothing, and a look that fails is a finding, not an exception.
 */

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { connectionOptionsOf } from '../../agent/broker-connection.js'
import { probeProviders } from '../../agent/probe/probe-providers.js'
import { probeRunners } from '../../agent/probe/probe-runners.js'
import { libraryOptionsOf } from '../../agent/serving/open-served-model.js'
import { chosenInference } from '../../agent/runtimes/installed-runtimes.js'
import { trustPolicyOf } from '../../agent/trusted-keys.js'
import { systemClock } from '../../base/clock.js'
import { silentLogger } from '../../base/logger.js'
import { probeFfmpeg } from '../../camera/probe-video.js'
import type { Config } from '../../config/config.js'
import { reasonOf } from '../../protocol/reason-codes.js'
import { MqttConnection } from '../../transport/mqtt-connection.js'
import { cameraFindings } from './camera-findings.js'
import { fault, type Finding } from './finding.js'

export interface SiteOptions {
  /** Whether the broker and the cameras may be contacted. */
  readonly contact: boolean
}

const brokerLimitMs = 5_000

/** Looks at everything that `config` names. */
export async function siteFindings(config: Config, { contact }: SiteOptions): Promise<readonly Finding[]> {
  return [
    ...(await providers(await chosenInference(config))),
    ...(await runners(config.inference)),
    ...(await cameraFindings(config.cameras, contact)),
    await decodingTool(),
    ...(contact ? await brokers(config.broker) : []),
    clock(),
    await disk(config.state),
    await keys(config.security),
  ]
}

/** Proven by running on them, not by a list. */
async function providers(inference: Config['inference']): Promise<readonly Finding[]> {
  const found = await probeProviders(inference.providers, libraryOptionsOf(inference))
  return found.map(({ name, works, reason = 'it does not work' }): Finding => {
    const subject = `provider ${name}`
    if (works) return { state: 'ok', subject, detail: 'computes right' }
    return {
      state: 'warning',
      subject,
      detail: reason,
      remedy: `install what it needs, or take ${name} out of inference.providers`,
    }
  })
}

async function runners({ runners: entries }: Config['inference']): Promise<readonly Finding[]> {
  return (await probeRunners(entries)).map((probe): Finding => {
    const subject = `runner ${probe.kind}`
    if (probe.works) return { state: 'ok', subject, detail: `${probe.runtime} ${probe.version} answers` }
    const remedy = 'start its command by hand and look; deploy/RUNNERS.md says what it must answer'
    return { state: 'fault', subject, detail: probe.reason, remedy }
  })
}

async function decodingTool(): Promise<Finding> {
  try {
    await probeFfmpeg(systemClock)
    return { state: 'ok', subject: 'ffmpeg', detail: 'found' }
  } catch (thrown) {
    return fault('ffmpeg', thrown, 'install it: sudo apt-get install ffmpeg')
  }
}

/** Every address on its own: a cluster of which only one node answers is in order until that node is gone. */
async function brokers(settings: Config['broker']): Promise<readonly Finding[]> {
  const urls = settings.urls.length > 0 ? settings.urls : [settings.url]
  return Promise.all(urls.map((url) => brokerFinding({ ...settings, url, urls: [] })))
}

/** Whether the broker of `settings.url` answers and keeps what a fleet needs. */
export async function brokerFinding(settings: Config['broker']): Promise<Finding> {
  const subject = 'broker'
  let connection: MqttConnection | undefined
  try {
    const clientId = `yolo-edge-doctor-${randomBytes(6).toString('hex')}`
    const options = await connectionOptionsOf(settings, clientId)
    connection = new MqttConnection(options, { logger: silentLogger })
    await connection.start()
    await connection.requireOnline(brokerLimitMs)
    const { keepsRetained = true, qosMax = 2 } = connection.brokerLimits ?? {}
    if (!keepsRetained || qosMax === 0) {
      const { reason, hint } = reasonOf(keepsRetained ? 155 : 154)
      const remedy = hint ?? 'choose another broker'
      return { state: 'fault', subject, detail: `${settings.url} answers, but ${reason}`, remedy }
    }
    return { state: 'ok', subject, detail: `${settings.url} answers` }
  } catch (thrown) {
    return fault(
      subject,
      thrown,
      'check broker.url, the credentials and the network; the agent works offline until then',
    )
  } finally {
    await connection?.stop()
  }
}

/** No device was made before this program: a clock without a battery starts far behind. */
const earliestYear = 2025

function clock(): Finding {
  const now = new Date(systemClock.wallMs())
  const detail = now.toISOString()
  if (now.getUTCFullYear() >= earliestYear) return { state: 'ok', subject: 'clock', detail }
  const remedy =
    'let the system set its clock: sudo timedatectl set-ntp true; certificates are refused until then'
  return { state: 'fault', subject: 'clock', detail: `${detail} lies in the past`, remedy }
}

async function disk({ directory, quotaMb }: Config['state']): Promise<Finding> {
  const subject = 'state folder'
  try {
    const folder = await nearestFolder(directory)
    await access(folder, constants.W_OK)
    const { bavail, bsize } = await statfs(folder)
    const freeMb = (bavail * bsize) / 1e6
    const detail = `${directory}: ${freeMb.toFixed(0)} MB free, may take ${quotaMb} MB`
    if (freeMb > quotaMb) return { state: 'ok', subject, detail }
    return { state: 'warning', subject, detail, remedy: 'free disk space, or lower state.quota_mb' }
  } catch (thrown) {
    return fault(
      subject,
      thrown,
      `make ${directory} and give it to the user of the service, or set state.directory`,
    )
  }
}

/** The folder itself, or the one in which it would be made. */
async function nearestFolder(path: string): Promise<string> {
  try {
    await access(path)
    return path
  } catch (thrown) {
    if (dirname(path) === path) throw thrown
    return nearestFolder(dirname(path))
  }
}

async function keys({ trustedKeys, allowUnsigned }: Config['security']): Promise<Finding> {
  const subject = 'trusted keys'
  try {
    const { keys: trusted } = await trustPolicyOf(trustedKeys, allowUnsigned)
    if (allowUnsigned) {
      const remedy = 'sign models (yolo-edge keygen, publish --sign) and unset security.allow_unsigned'
      return { state: 'warning', subject, detail: 'models that nobody signed are accepted', remedy }
    }
    if (trusted.length > 0) return { state: 'ok', subject, detail: `${trusted.length} in ${trustedKeys}` }
    const remedy = `copy the public key of your fleet (*.pub, made by yolo-edge keygen) into ${trustedKeys}`
    return { state: 'fault', subject, detail: `none in ${trustedKeys}: every model is refused`, remedy }
  } catch (thrown) {
    return fault(subject, thrown, 'replace or remove the file that cannot be read')
  }
}
