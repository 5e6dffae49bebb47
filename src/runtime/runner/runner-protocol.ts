/**
 * How this program and a runner speak: a runner is a command that loads what ONNX Runtime cannot, such as files compiled for
 * an NPU. One JSON object a line each way; deploy/RUNNERS.md is its reference.
 *
 *     --> {"hello":1}
 *     <-- {"hello":1,"runtime":"hailort","version":"4.20.0","chip":"hailo8"}
 *     --> {"open":"/var/lib/.../file","width":640,"height":640,"classes":80}
 *     <-- {"opened":true}
 *     --> {"detect":1,"bytes":1228800,"conf":0.25,"iou":0.7,"max":300}   and then exactly that many bytes: RGB, row by row
 *     <-- {"detect":1,"boxes":[[x1,y1,x2,y2,score,class],...]}
 *     <-- {"error":"why"}                                                 instead of any answer
 *
 * Invariant: nothing of an answer is believed before it was checked.
 */

import { AgentError } from '../../base/errors.js'

export const runnerProtocolVersion = 1

/** What a runner says of itself. */
export interface RunnerHello {
  readonly runtime: string
  readonly version: string
  /** The accelerator that it found, as artefacts name it: `hailo8`. */
  readonly chip?: string
}

export interface RunnerBox {
  /** In pixels of the model's input. */
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  readonly score: number
  readonly classIndex: number
}

export interface RunnerDetections {
  readonly id: number
  readonly boxes: readonly RunnerBox[]
}

type Fields = Readonly<Record<string, unknown>>

/** The object in a line. Throws what the runner complains of, or `inference.output_invalid`. */
function fieldsOf(line: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw invalid(line, 'one JSON object a line')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(line, 'a JSON object')
  const fields = value as Fields
  const { error } = fields
  if (typeof error === 'string') throw new AgentError('inference.run_failed', `the runner says: ${error}`)
  return fields
}

function invalid(line: string, expected: string): AgentError {
  const problem = `the runner answered ${line.slice(0, 120)}, expected ${expected}`
  return new AgentError('inference.output_invalid', problem)
}

/** Reads the answer to `hello`. */
export function parseHello(line: string): RunnerHello {
  const { hello, runtime, version, chip } = fieldsOf(line)
  const isWord = (text: unknown): text is string => typeof text === 'string' && /^[\w.+-]{1,64}$/.test(text)
  if (
    hello !== runnerProtocolVersion ||
    !isWord(runtime) ||
    !isWord(version) ||
    !(chip === undefined || isWord(chip))
  )
    throw invalid(line, `{"hello":${runnerProtocolVersion},"runtime":"...","version":"..."}`)
  return { runtime, version, ...(chip !== undefined && { chip }) }
}

/** Reads the answer to `open`. */
export function parseOpened(line: string): void {
  if (fieldsOf(line)['opened'] !== true) throw invalid(line, '{"opened":true}')
}

const boxFields = 6

/** Reads the answer to `detect` of a model with `classCount` classes. */
export function parseDetected(line: string, classCount: number): RunnerDetections {
  const { detect, boxes } = fieldsOf(line)
  if (!Number.isSafeInteger(detect) || !Array.isArray(boxes))
    throw invalid(line, '{"detect":id,"boxes":[...]}')
  return {
    id: detect as number,
    boxes: boxes.map((box: unknown) => boxOf(box, classCount, line)),
  }
}

function boxOf(value: unknown, classCount: number, line: string): RunnerBox {
  const isBox = Array.isArray(value) && value.length === boxFields && value.every(Number.isFinite)
  if (!isBox) throw invalid(line, 'boxes of six numbers: x1, y1, x2, y2, score, class')
  const [x1, y1, x2, y2, score, classIndex] = value as [number, number, number, number, number, number]
  if (!Number.isInteger(classIndex) || classIndex < 0 || classIndex >= classCount || score < 0 || score > 1)
    throw invalid(line, `scores 0..1 and classes 0..${classCount - 1}`)
  return { x1, y1, x2, y2, score, classIndex }
}
