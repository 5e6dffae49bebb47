/**
 * A source that is a chain of programs: the first captures, each writes into the next, the last writes raw RGB rows.
 *
 *      ffmpeg --------------------------> pixel pipe        files, RTSP, V4L2, HTTP
 *      rpicam-vid ------> ffmpeg -------> pixel pipe        Raspberry Pi cameras
 *      gst-launch-1.0 --> ffmpeg -------> pixel pipe        Jetson CSI cameras
 *
 * Invariant: when run() settles, every program of the chain has ended.
 */

import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.js'
import { AgentError } from '../base/errors.js'
import type { FrameRing } from './frame-ring.js'
import type { FrameSource, SourceReport } from './frame-source.js'
import { frameBytesOf, openPixelPipe } from './pixel-pipe.js'
import { socketPair } from './socket-pair.js'
import type { ToolCommand, ToolExit } from './tool-process.js'
import { ToolProcess } from './tool-process.js'

/** What is to be run for one opening of the source, each writing into the next; the last writes what letterbox-filter.ts describes. */
export type ToolChain = readonly ToolCommand[]

export interface StreamSourceOptions {
  /** For logs and errors; holds no credentials. */
  readonly label: string
  readonly isEndless: boolean
  readonly clock: Clock
  /** Called at each opening, so that a camera which came back with another codec or rate is taken as it is. */
  readonly plan: (ring: FrameRing, signal: AbortSignal) => Promise<ToolChain>
}

/** How long a program may take to end once nothing more comes from it. */
const endGraceMs = 2000

/** Starts the chain from its first program; `sink` becomes the last one's stdout. On failure nothing is left running. */
async function startChain(chain: ToolChain, sink: Socket, clock: Clock): Promise<ToolProcess[]> {
  const tools: ToolProcess[] = []
  let stdin: Socket | undefined
  try {
    for (const [position, command] of chain.entries()) {
      const isLast = position === chain.length - 1
      const link = isLast ? undefined : await socketPair()
      const stdout = link?.writeEnd ?? sink
      try {
        tools.push(await ToolProcess.start(command, { stdin: stdin ?? 'ignore', stdout }, clock))
      } finally {
        // The programs have copies of their own; ours would keep each from noticing that its neighbour is gone.
        stdin?.destroy()
        stdout.destroy()
      }
      stdin = link?.readEnd
    }
    return tools
  } catch (thrown) {
    stdin?.destroy()
    await Promise.all(tools.map((tool) => tool.stop()))
    throw thrown
  }
}

/** What a program that did not end well has to say; undefined when it ended well. */
function faultOf(tool: ToolProcess, exit: ToolExit): string | undefined {
  if (exit.code === 0) return undefined
  const words = tool.lastWords()
  return `${tool.command} ended (${exit.signal ?? `exit ${exit.code ?? 'unknown'}`})${words === '' ? '' : `: ${words}`}`
}

/** Runs the chain until its frames have ended; returns what went wrong, in order, and whether any frame came. */
async function runChain(
  { label, clock }: StreamSourceOptions,
  chain: ToolChain,
  ring: FrameRing,
  signal: AbortSignal,
  report: SourceReport,
): Promise<void> {
  const capturedBefore = ring.captured
  const pipe = await openPixelPipe(ring, clock, signal, report.pictureSize)
  const tools = await startChain(chain, pipe.writeEnd, clock).catch(async (thrown: unknown) => {
    pipe.writeEnd.destroy()
    await pipe.drained
    throw thrown
  })
  const { pendingBytes, fault } = await pipe.drained
  if (signal.aborted || fault !== undefined) {
    await Promise.all(tools.map((tool) => tool.stop()))
    if (fault === undefined) return
    throw new AgentError(fault.code, `${label}: ${fault.message}`, { cause: fault })
  }
  const exits = await Promise.all(tools.map((tool) => tool.finish(endGraceMs)))
  const faults = exits.flatMap((exit, position) => faultOf(tools[position]!, exit) ?? [])
  if (ring.captured === capturedBefore) {
    const reason = faults.join('; ') || tools.map((tool) => tool.lastWords()).join(' ') || 'no frame came'
    throw new AgentError('camera.open_failed', `cannot read frames from ${label}: ${reason}`)
  }
  if (pendingBytes > 0) faults.push(`the last frame has ${pendingBytes} of ${frameBytesOf(ring)} bytes`)
  if (faults.length > 0)
    throw new AgentError('camera.stream_broken', `${label} broke off: ${faults.join('; ')}`)
}

/** Builds a source that runs the planned chain. */
export function streamSource(options: StreamSourceOptions): FrameSource {
  return {
    label: options.label,
    isEndless: options.isEndless,
    run: async (ring, signal, report) => {
      const chain = await options.plan(ring, signal)
      if (!signal.aborted) await runChain(options, chain, ring, signal, report)
    },
  }
}
