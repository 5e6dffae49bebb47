/**
 * Hardware that decodes video, by device nodes and the names of Video4Linux devices.
 * Invariant: an entry says that the device is there; whether ffmpeg was built to use it is another question.
 */

import type { Accelerator, VideoDecoder } from './hardware-profile.js'
import type { MachineFiles } from './machine-files.js'

/** Names of stateful and stateless decoders in /sys/class/video4linux. */
const videoNames: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^bcm2835-codec-decode/, 'V4L2 H.264 (bcm2835-codec)'],
  [/^(rpi-hevc-dec|rpivid)/, 'V4L2 HEVC (rpi-hevc-dec)'],
  [/^rkvdec/, 'V4L2 (rkvdec)'],
  [/hantro.*dec|vpu.*-dec/i, 'V4L2 (hantro)'],
  [/^vsi_v4l2dec/, 'V4L2 (vsi_v4l2)'],
  [/^mxc-jpeg codec dec|^imx8-?jpeg dec/i, 'V4L2 JPEG (mxc-jpeg)'],
]

const nodes: readonly (readonly [path: string, name: string])[] = [
  ['/dev/v4l2-nvdec', 'NVDEC (Jetson)'],
  ['/dev/nvhost-nvdec', 'NVDEC (Jetson)'],
  ['/dev/mpp_service', 'Rockchip MPP'],
]

export async function readVideoDecoders(
  files: MachineFiles,
  accelerators: readonly Accelerator[],
): Promise<readonly VideoDecoder[]> {
  const found: VideoDecoder[] = []
  const folder = '/sys/class/video4linux'
  for (const device of await files.names(folder)) {
    const name = (await files.text(`${folder}/${device}/name`)) ?? ''
    const row = videoNames.find(([pattern]) => pattern.test(name))
    if (row !== undefined) found.push({ name: row[1], evidence: `/dev/${device}` })
  }
  for (const [evidence, name] of nodes) if (await files.exists(evidence)) found.push({ name, evidence })
  const gpu = (pattern: RegExp): Accelerator | undefined =>
    accelerators.find(({ kind, name }) => kind === 'gpu' && pattern.test(name))
  const isJetson = found.some(({ name }) => name.includes('Jetson'))
  if (!isJetson && gpu(/nvidia/i)?.evidence.startsWith('/proc/driver') === true)
    found.push({ name: 'NVDEC', evidence: '/proc/driver/nvidia' })
  const render = '/dev/dri/renderD128'
  if (gpu(/^(Intel|AMD)/) !== undefined && (await files.exists(render)))
    found.push({ name: 'VA-API', evidence: render })
  return found.filter((each, index) => found.findIndex(({ name }) => name === each.name) === index)
}
