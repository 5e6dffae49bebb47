/** What a model file is, found out beside the event loop. Invariant: the thread is gone when the promise settles. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { AgentError, type ErrorCode } from '../../base/errors.js'
import type { ModelDescription } from '../../yolo/model-description.js'

export interface DescribeRequest {
  readonly path: string
}

export type DescribeReply =
  | { readonly state: 'described'; readonly description: ModelDescription }
  | { readonly state: 'failed'; readonly code: ErrorCode; readonly message: string }

const workerFile = new URL('./describe-worker.js', import.meta.url)

/** Describes the .onnx file at `path`. Throws `model.*`. */
export async function describeModelFile(path: string): Promise<ModelDescription> {
  const worker = new Worker(workerFile, { execArgv: [], workerData: { path } satisfies DescribeRequest })
  const exited = once(worker, 'exit')
  const [reply] = (await once(worker, 'message')) as [DescribeReply]
  await exited
  if (reply.state === 'described') return reply.description
  throw new AgentError(reply.code, reply.message)
}
