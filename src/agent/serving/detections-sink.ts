/** Publishes what a camera saw, one message a frame. Invariant: offline results are dropped and counted, never queued. */

import { AgentError } from '../../base/errors.js'
import type { FrameResult } from '../../pipeline/frame-result.js'
import type { ResultSink } from '../../pipeline/ports.js'
import {
  type DetectionForm,
  encodeDetections,
  type FoundObject,
  type FrameDetections,
} from '../../protocol/detections.js'
import type { Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import type { Detection } from '../../yolo/detection.js'

/** A sink for one camera of `device`, which writes detections in `form`. */
export function detectionsSink(
  connection: MqttConnection,
  topics: Topics,
  device: string,
  camera: string,
  form: DetectionForm,
): ResultSink {
  const topic = topics.detections(device, camera)
  return {
    name: 'detections',
    accept: async (result) => {
      const outcome = await connection.publish(topic, encodeDetections(frameOf(result), form), {
        qos: 0,
        retain: false,
      })
      if (outcome.status === 'sent' || outcome.status === 'offline') return
      throw new AgentError('network.broker_refused', `the broker did not take detections on ${topic}`)
    },
  }
}

function frameOf({ identity, timings, classNames, ...result }: FrameResult): FrameDetections {
  const { preprocessMs, inferenceMs, decodeMs, totalMs } = timings
  return {
    frameId: result.frameId,
    capturedAtMs: result.capturedAtMs,
    model: identity.model,
    version: identity.version,
    variant: identity.variant,
    width: result.sourceWidth,
    height: result.sourceHeight,
    detections: result.detections.map((found, index) =>
      objectOf(found, classNames, result.trackIds?.[index] ?? 0),
    ),
    latency: { preprocessMs, inferenceMs, decodeMs, totalMs },
  }
}

function objectOf(found: Detection, classNames: readonly string[], trackId: number): FoundObject {
  const { classIndex, score, x1, y1, x2, y2 } = found
  const className = classNames[classIndex]
  return {
    ...{ classIndex, score, x1, y1, x2, y2 },
    ...(className !== undefined && { className }),
    ...(trackId > 0 && { trackId }),
  }
}
