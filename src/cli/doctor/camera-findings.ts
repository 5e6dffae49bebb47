/**
 * Which cameras deliver pictures, and what to do about those that do not.
 * Invariant: every camera that is configured has a line; what a line says holds no password; nothing stays open.
 */

import { readdir } from 'node:fs/promises'
import { cameraProblems } from '../../agent/serving/camera-problems.js'
import { systemClock } from '../../base/clock.js'
import { AgentError, isAgentError, messageOf } from '../../base/errors.js'
import { openSource } from '../../camera/open-source.js'
import { parseSourceUri, type SourceScheme } from '../../camera/source-uri.js'
import type { CameraConfig } from '../../config/config.js'
import { fault, type Finding } from './finding.js'
import { videoFormatsOf } from './video-formats.js'

/** Opening RTSP and waiting for the first key frame takes seconds; key frames may lie ten seconds apart. */
const cameraLimitMs = 15_000

/** `contact`: whether the cameras may be opened. */
export async function cameraFindings(
  list: readonly CameraConfig[],
  contact: boolean,
): Promise<readonly Finding[]> {
  const devices = await videoDevices()
  const present: Finding = {
    state: 'note',
    subject: 'video devices',
    detail: devices.length === 0 ? 'none in /dev' : devices.map((name) => `/dev/${name}`).join(', '),
  }
  const known = contact ? await formats(devices) : []
  if (list.length === 0) {
    const remedy = 'name one: --set cameras=front=/dev/video0, or cameras in the file of settings'
    return [
      present,
      ...known,
      { state: 'warning', subject: 'cameras', detail: 'no camera is configured', remedy },
    ]
  }
  const problems = cameraProblems(list)
  const faults = problems.map(({ cameras, detail }): Finding => {
    const subject = cameras.length === 1 ? `camera ${cameras[0]}` : 'cameras'
    return { state: 'fault', subject, detail, remedy: 'mend it in the settings' }
  })
  if (!contact) return [present, ...faults]
  const isToBlame = (name: string): boolean => problems.some(({ cameras }) => cameras.includes(name))
  const opened = await Promise.all(list.filter(({ name }) => !isToBlame(name)).map(cameraFinding))
  return [present, ...known, ...faults, ...opened]
}

/** Names of the video devices in /dev: cameras, and also decoders and image processors. */
async function videoDevices(): Promise<readonly string[]> {
  return (await readdir('/dev').catch((): string[] => [])).filter((name) => /^video\d+$/.test(name))
}

/** A device that delivers pictures. */
export interface FoundCamera {
  /** `/dev/video0`. */
  readonly path: string
  /** What it can deliver, for people. */
  readonly formats: string
}

/** The video devices of this machine that ffmpeg can read. */
export async function foundCameras(): Promise<readonly FoundCamera[]> {
  return (await formats(await videoDevices())).map(({ subject, detail }) => ({
    path: subject,
    formats: detail,
  }))
}

/** Devices of decoders and image processors list no formats of their own and are left out. */
async function formats(devices: readonly string[]): Promise<readonly Finding[]> {
  const found = await Promise.all(
    devices.map(async (name): Promise<Finding[]> => {
      const detail = await videoFormatsOf(`/dev/${name}`)
      return detail === undefined ? [] : [{ state: 'note', subject: `/dev/${name}`, detail }]
    }),
  )
  return found.flat()
}

/** Opens one camera and waits for a picture. */
export async function cameraFinding({ name, source, loop }: CameraConfig): Promise<Finding> {
  const subject = `camera ${name}`
  const startedAtMs = systemClock.monotonicMs()
  try {
    const supply = await openSource({
      uri: source,
      loop,
      inputWidth: 64,
      inputHeight: 64,
      mode: 'live',
      faultsMax: 1,
    })
    try {
      const lease = await supply.next(AbortSignal.timeout(cameraLimitMs))
      if (lease === undefined)
        throw new AgentError(
          'camera.stream_stalled',
          `${supply.label} gave no picture within ${cameraLimitMs / 1000} s`,
        )
      const { sourceWidth, sourceHeight } = lease.letterbox
      lease.release()
      const seconds = ((systemClock.monotonicMs() - startedAtMs) / 1000).toFixed(1)
      const detail = `${sourceWidth}x${sourceHeight} from ${supply.label}, first picture after ${seconds} s`
      return { state: 'ok', subject, detail }
    } finally {
      await supply.stop()
    }
  } catch (thrown) {
    return fault(subject, thrown, remedyOf(parseSourceUri(source).scheme, thrown))
  }
}

/** What ffmpeg says of a stream that it cannot read -> what to do. */
const networkRemedies: readonly (readonly [RegExp, string])[] = [
  [
    /\b401\b|\b403\b|unauthorized|forbidden/i,
    'check the user name and password in the address; some cameras have an account of its own for streams',
  ],
  [
    /\b404\b|\b454\b|not found/i,
    "check the path behind the host: the camera's manual lists the paths of its streams",
  ],
  [/connection refused/i, 'check the port (RTSP: 554), and that the service is switched on in the camera'],
  [
    /failed to resolve|name or service not known|temporary failure in name/i,
    'check the host name, or write the number of the camera instead',
  ],
  [
    /no route|unreachable|timed? ?out|host is down/i,
    'check the address, the cable and the network: the host does not answer',
  ],
  [
    /no video stream|invalid data|unknown format|could not find codec|decoder|unsupported/i,
    'set the camera to H.264, H.265 or MJPEG, and check that the address is that of its video',
  ],
]

const silentRemedy =
  'check host and port, and try transport=udp behind a # if it is RTSP; a long key frame interval in the camera delays the first picture'

function remedyOf(scheme: SourceScheme, thrown: unknown): string {
  if (scheme === 'network') {
    const said = messageOf(thrown)
    const known = networkRemedies.find(([pattern]) => pattern.test(said))?.[1]
    if (known !== undefined) return known
    return isAgentError(thrown, 'camera.stream_stalled')
      ? silentRemedy
      : 'open the address with ffplay on this device, and compare'
  }
  if (scheme === 'path') return 'check the path, and that the user of the service may read the file'
  return 'check the name of the device, the cable, that no other program has it open, and that the user of the service is in the group video'
}
