/**
 * What a video is, as ffprobe sees it.
 * Invariant: nothing is told of the size of its pictures: it may change, and each frame says its own (letterbox-filter.ts).
 */

import type { Clock } from '../base/clock.js'
import { AgentError } from '../base/errors.js'
import type { FfmpegAbilities, VideoFacts, VideoInput } from './ffmpeg.js'
import { abilitiesOf, toolCommandOf } from './ffmpeg.js'
import type { ToolCommand, ToolExit } from './tool-process.js'
import { ToolProcess } from './tool-process.js'

const shownEntries = 'stream=width,height,codec_name,avg_frame_rate,r_frame_rate'

/** Runs a program to its end and returns what it printed. `signal` ends it early. */
async function outputOf(
  command: ToolCommand,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ text: string; exit: ToolExit; lastWords: string }> {
  const tool = await ToolProcess.start(command, { stdin: 'ignore', stdout: 'pipe' }, clock)
  const stop = (): void => void tool.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  let text = ''
  tool.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const exit = await tool.exited
  signal.removeEventListener('abort', stop)
  return { text, exit, lastWords: tool.lastWords() }
}

/** Checks that ffmpeg is there, and what it can do. Rejects with `resource.tool_missing`. */
export async function probeFfmpeg(clock: Clock): Promise<FfmpegAbilities> {
  const { signal } = new AbortController()
  const { text } = await outputOf({ command: 'ffmpeg', args: ['-version'] }, clock, signal)
  return abilitiesOf(text)
}

/**
 * Opens `input` with ffprobe and reads the first video stream's facts.
 * Rejects with `camera.open_failed` when there is none, `resource.tool_missing` without ffprobe.
 */
export async function probeVideo(input: VideoInput, clock: Clock, signal: AbortSignal): Promise<VideoFacts> {
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', shownEntries, '-of', 'json']
  const command = toolCommandOf('ffprobe', [...args, ...input.openArgs, '-i', input.address], input)
  const { text, exit, lastWords } = await outputOf(command, clock, signal)
  const facts = exit.code === 0 ? videoFactsFrom(text) : undefined
  if (facts !== undefined) return facts
  const reason = lastWords === '' ? 'it has no video stream' : lastWords
  throw new AgentError('camera.open_failed', `cannot open ${input.label} as video: ${reason}`)
}

/** `30000/1001` -> 29.97; undefined for `0/0` and the like. */
function rateFrom(value: unknown): number | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(String(value))
  const rate = match === null ? 0 : Number(match[1]) / Number(match[2])
  return Number.isFinite(rate) && rate > 0 ? rate : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** Reads ffprobe's JSON; undefined when it lists no video stream with a size. */
export function videoFactsFrom(json: string): VideoFacts | undefined {
  const parsed: unknown = JSON.parse(json)
  const streams: unknown[] = isRecord(parsed) && Array.isArray(parsed['streams']) ? parsed['streams'] : []
  const stream = streams[0]
  if (!isRecord(stream)) return undefined
  if (!(Number(stream['width']) > 0 && Number(stream['height']) > 0)) return undefined
  return {
    codec: String(stream['codec_name']),
    fps: rateFrom(stream['avg_frame_rate']) ?? rateFrom(stream['r_frame_rate']),
  }
}
