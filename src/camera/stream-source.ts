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
import type { Letterbox } from '../yolo/letterbox.js'
import type { FrameRing } from './frame-ring.js'
import type { FrameSource } from './frame-source.js'
import { bandBytesOf, openPixelPipe } from './pixel-pipe.js'
import { socketPair } from './socket-pair.js'
import type { ToolCommand, ToolExit } from './tool-process.js'
import { ToolProcess } from './tool-process.js'

/** What is to be run for one opening of the source. */
export interface StreamPlan {
  readonly chain: readonly ToolCommand[]
  /** Geometry of the rows that the last program writes. */
  readonly letterbox: Letterbox
}

export interface StreamSourceOptions {
  /** For logs and errors; holds no credentials. */
  readonly label: string
  readonly isEndless: boolean
  readonly clock: Clock
  /** Called at each opening, so that a camera which came back with another size is taken as it is. */
  readonly plan: (ring: FrameRing, signal: AbortSignal) => Promise<StreamPlan>
}

/** How long a program may take to end once nothing more comes from it. */
const endGraceMs = 2000

/** Starts the chain from its first program; `sink` becomes the last one's stdout. On failure nothing is left running. */
async function startChain(plan: StreamPlan, sink: Socket, clock: Clock): Promise<ToolProcess[]> {
  const tools: ToolProcess[] = []
  let stdin: Socket | undefined
  try {
    for (const [position, command] of plan.chain.entries()) {
      const isLast = position === plan.chain.length - 1
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
  plan: StreamPlan,
  ring: FrameRing,
  signal: AbortSignal,
): Promise<void> {
  const capturedBefore = ring.captured
  const pipe = await openPixelPipe(ring, plan.letterbox, clock, signal)
  const tools = await startChain(plan, pipe.writeEnd, clock).catch(async (thrown: unknown) => {
    pipe.writeEnd.destroy()
    await pipe.drained
    throw thrown
  })
  const pendingBytes = await pipe.drained
  if (signal.aborted) {
    await Promise.all(tools.map((tool) => tool.stop()))
    return
  }
  const exits = await Promise.all(tools.map((tool) => tool.finish(endGraceMs)))
  const faults = exits.flatMap((exit, position) => faultOf(tools[position]!, exit) ?? [])
  if (ring.captured === capturedBefore) {
    const reason = faults.join('; ') || tools.map((tool) => tool.lastWords()).join(' ') || 'no frame came'
    throw new AgentError('camera.open_failed', `cannot read frames from ${label}: ${reason}`)
  }
  if (pendingBytes > 0)
    faults.push(`the last frame has ${pendingBytes} of ${bandBytesOf(plan.letterbox)} bytes`)
  if (faults.length > 0)
    throw new AgentError('camera.stream_broken', `${label} broke off: ${faults.join('; ')}`)
}

/** Builds a source that runs the planned chain. */
export function streamSource(options: StreamSourceOptions): FrameSource {
  return {
    label: options.label,
    isEndless: options.isEndless,
    run: async (ring, signal) => {
      const plan = await options.plan(ring, signal)
      if (!signal.aborted) await runChain(options, plan, ring, signal)
    },
  }
}
