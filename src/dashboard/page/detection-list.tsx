/** What is in the newest frame, counted by class. Invariant: at most a screenful of rows. */

import type { VNode } from 'preact'
import type { FrameDetections } from '../../protocol/detections.js'
import { classColor, cssColor } from '../../yolo/class-color.js'
import { classLabel } from '../fleet/class-look.js'
import { milliseconds } from '../fleet/format.js'

interface Props {
  readonly frame: FrameDetections | undefined
  readonly classNames: readonly string[]
}

const shownMax = 8

export function DetectionList({ frame, classNames }: Props): VNode {
  const classes = new Map<number, { readonly label: string; readonly count: number; readonly best: number }>()
  for (const found of frame?.detections ?? []) {
    const known = classes.get(found.classIndex)
    classes.set(found.classIndex, {
      label: known?.label ?? classLabel(found, classNames),
      count: (known?.count ?? 0) + 1,
      best: Math.max(known?.best ?? 0, found.score),
    })
  }
  const listed = [...classes].sort(([, one], [, other]) => other.count - one.count || other.best - one.best)
  return (
    <section class="card found" aria-label="In this frame">
      <h2>
        In this frame{' '}
        <span class="quiet">
          {frame === undefined
            ? ''
            : `no. ${frame.frameId}, ${milliseconds(frame.latency.totalMs)} ms from capture`}
        </span>
      </h2>
      {listed.length === 0 ? (
        <p class="quiet">{frame === undefined ? 'Waiting for a frame.' : 'Nothing was found.'}</p>
      ) : (
        <ul>
          {listed.slice(0, shownMax).map(([classIndex, { label, count, best }]) => (
            <li key={classIndex}>
              <span
                class="swatch"
                style={{ background: cssColor(classColor(classIndex)) }}
                aria-hidden="true"
              />
              <span>{label}</span>
              <b>{count}</b>
              <span class="quiet">best {best.toFixed(2)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
