/** Reads a model file in a thread of its own: parsing megabytes must not stop the frames. */

import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { invariant } from '../../base/assert.js'
import { AgentError, messageOf, wrapError } from '../../base/errors.js'
import { importModel } from '../../onnx/import-model.js'
import { describeModel } from '../../yolo/model-description.js'
import type { DescribeReply, DescribeRequest } from './describe-model.js'

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (thrown) {
    const problem = `cannot read the model ${path}: ${messageOf(thrown)}`
    throw new AgentError('model.file_unreadable', problem, { cause: thrown })
  }
}

function describe({ path }: DescribeRequest): DescribeReply {
  try {
    return { state: 'described', description: describeModel(importModel(readBytes(path))) }
  } catch (thrown) {
    const { code, message } = wrapError(thrown, 'model.parse_failed', `cannot read the model ${path}`)
    return { state: 'failed', code, message }
  }
}

invariant(parentPort !== null, 'this file runs as a worker thread')
parentPort.postMessage(describe(workerData as DescribeRequest))
