/**
 * What the hardware means for inference: what is fast here, what is not used, what slows the machine down.
 * Invariant: pure: the same profile gives the same findings; an unknown machine gets the same lines with what is known.
 */

import type { Accelerator, HardwareProfile } from '../../hardware/hardware-profile.js'
import type { Finding } from './finding.js'

export function hardwareFindings(profile: HardwareProfile): readonly Finding[] {
  const { board, os, arch } = profile
  const parts = [board.name, board.chip, board.platformRelease].filter((part) => part !== undefined)
  return [
    { state: 'ok', subject: 'board', detail: parts.join(', ') },
    { state: 'ok', subject: 'system', detail: `${os}, ${arch}` },
    processor(profile),
    int8(profile),
    memory(profile),
    ...profile.accelerators.map((each) => accelerator(each, profile)),
    decoders(profile),
    power(profile),
    ...heat(profile),
  ]
}

const supportedArchs = ['x64', 'arm64']

function processor({ cpu, arch }: HardwareProfile): Finding {
  const detail = `${cpu.model}, ${cpu.cores} ${cpu.cores === 1 ? 'core' : 'cores'}; ${cpu.features.join(' ') || 'no known features'}`
  if (supportedArchs.includes(arch)) return { state: 'ok', subject: 'processor', detail }
  const remedy = 'install the 64-bit system of this board: ONNX Runtime has no library for this architecture'
  return { state: 'fault', subject: 'processor', detail: `${detail}; ${arch}`, remedy }
}

function int8({ cpu, arch, int8Targets }: HardwareProfile): Finding {
  const subject = 'int8'
  const targets = `variants for ${int8Targets.join(' or ')}`
  if (int8Targets.length === 0) {
    return {
      state: 'warning',
      subject,
      detail: 'no int8 variant is known to be right here',
      remedy: 'publish fp32 variants for this device',
    }
  }
  if (arch === 'arm64' && !cpu.features.includes('asimddp')) {
    return {
      state: 'warning',
      subject,
      detail: `${targets}; no dot product instructions (asimddp), so int8 saves memory more than time`,
      remedy: 'publish a pruned variant or a smaller input size for this kind of board',
    }
  }
  if (arch === 'x64' && int8Targets[0] !== 'x64-vnni') {
    return {
      state: 'warning',
      subject,
      detail: `${targets}; no VNNI, so weights need 7 bits to be exact and int8 gains less`,
      remedy: 'publish an int8 variant for x64 beside the one for x64-vnni; the trial decides which serves',
    }
  }
  const instructions = arch === 'arm64' ? 'dot product instructions' : 'VNNI'
  return { state: 'ok', subject, detail: `${targets}; fast through ${instructions}` }
}

/** YOLOv8n at 640 takes about 150 MB beside Node.js itself; a swap holds two models for a moment. */
const scarceMemoryBytes = 400e6

function memory({ condition }: HardwareProfile): Finding {
  const { memoryTotalBytes, memoryAvailableBytes, memoryLimitBytes } = condition
  const limit = memoryLimitBytes === undefined ? '' : ' (the limit of its control group)'
  const detail = `${mega(memoryAvailableBytes)} of ${mega(memoryTotalBytes)} available${limit}`
  if (memoryAvailableBytes >= scarceMemoryBytes) return { state: 'ok', subject: 'memory', detail }
  const remedy = 'stop other programs, add zram or swap, or publish an int8 variant at a smaller input size'
  return { state: 'warning', subject: 'memory', detail, remedy }
}

/** What it takes to compute on an accelerator; the first row that matches. */
const usesOf: readonly (readonly [name: RegExp, detail: string, remedy: string])[] = [
  [
    /NVIDIA DLA/,
    'is reached through TensorRT only',
    'use the GPU first: the DLA pays off where the GPU is busy with other work',
  ],
  [
    /Tegra|Orin|Xavier|Thor|Pascal/,
    'ONNX Runtime from npm computes on the CPU only on arm64',
    'set inference.library to an ONNX Runtime that was built with CUDA or TensorRT for this very JetPack',
  ],
  [
    /NVIDIA/,
    'can serve through cuda or tensorrt once their libraries are there',
    'name a GPU build of ONNX Runtime in inference.library (deploy/JETSON.md), set inference.providers to [cuda, cpu], and look at the provider lines below',
  ],
  [
    /Hailo|Coral|Rockchip|VeriSilicon|Ethos|Hexagon|Movidius|XDNA|Intel NPU/,
    'runs models compiled by its vendor, not ONNX files',
    'name a runner for it in inference.runners (deploy/RUNNERS.md), and publish a file compiled for it',
  ],
]

function accelerator({ kind, name }: Accelerator, { arch }: HardwareProfile): Finding {
  const row = usesOf.find(([pattern]) => pattern.test(name))
  if (row === undefined) return { state: 'note', subject: kind, detail: `${name}: not used for inference` }
  const [, detail, remedy] = row
  const isNote = arch !== 'arm64' && kind === 'gpu'
  if (isNote) return { state: 'note', subject: kind, detail: `${name}: ${detail}` }
  return { state: 'warning', subject: kind, detail: `${name}: ${detail}`, remedy }
}

function decoders({ videoDecoders }: HardwareProfile): Finding {
  const detail =
    videoDecoders.length === 0
      ? 'no hardware decoder found; video is decoded by the CPU'
      : videoDecoders.map(({ name, evidence }) => `${name} at ${evidence}`).join(', ')
  return { state: videoDecoders.length === 0 ? 'note' : 'ok', subject: 'video', detail }
}

function power({ condition, board }: HardwareProfile): Finding {
  const mode = condition.powerMode
  if (mode === undefined) return { state: 'note', subject: 'power mode', detail: 'not told by this machine' }
  const isJetson = board.family === 'jetson'
  const isSlow = isJetson ? !mode.startsWith('MAXN') : mode === 'governor powersave'
  if (!isSlow) return { state: 'ok', subject: 'power mode', detail: mode }
  const remedy = isJetson
    ? 'set the largest mode that supply and cooling bear: sudo nvpmodel -m NUMBER; /etc/nvpmodel.conf lists them'
    : 'allow the full clock: sudo cpupower frequency-set -g performance'
  return { state: 'warning', subject: 'power mode', detail: mode, remedy }
}

/** SoCs of this field slow down between 80 and 100 degrees. */
const hotC = 80

function heat({ condition, board }: HardwareProfile): readonly Finding[] {
  const { temperatureC, throttled, throttleReasons } = condition
  const degrees =
    temperatureC === undefined ? 'temperature unknown' : `${temperatureC.toFixed(0)} degrees Celsius`
  const detail = [degrees, ...throttleReasons].join(', ')
  if (throttled !== true) {
    if (temperatureC === undefined || temperatureC < hotC) return [{ state: 'ok', subject: 'heat', detail }]
    return [{ state: 'warning', subject: 'heat', detail, remedy: 'improve the cooling before it slows down' }]
  }
  const isStarved = throttleReasons.some((reason) => reason.startsWith('under-voltage'))
  const supply =
    board.family === 'raspberry-pi'
      ? 'use the official power supply and a short cable'
      : 'use a stronger power supply'
  const remedy = isStarved
    ? supply
    : 'improve the cooling, or choose a smaller variant: the machine has slowed down'
  return [{ state: 'warning', subject: 'heat', detail: `${detail}; slowed down now`, remedy }]
}

function mega(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
