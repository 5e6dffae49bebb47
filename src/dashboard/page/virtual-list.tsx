/**
 * Only the rows in sight exist, and rows that leave one end come back at the other: scrolling makes no elements.
 * Invariant: the scroll bar is that of the whole list; a row in sight keeps its element and with it its focus; at rest
 * elements lie in the order of the rows, which is the order of the Tab key.
 */

import { useSignal } from '@preact/signals'
import type { VNode } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { RowSlots } from '../fleet/row-slots.js'
import { after } from './browser-clock.js'

interface Props {
  readonly count: number
  /** What a row is of, so that it can be told when it moves. */
  readonly nameOf: (index: number) => string
  /** A row with `slot` as its key. */
  readonly renderRow: (index: number, place: { readonly slot: number; readonly top: number }) => VNode
  readonly label: string
  readonly columnCount: number
  readonly head: VNode
}

const overscan = 3
const restMs = 150

export function VirtualList({ count, nameOf, renderRow, label, columnCount, head }: Props): VNode {
  const slots = useRef(new RowSlots())
  const list = useRef<HTMLDivElement>(null)
  const rowHeight = useSignal(48)
  const first = useSignal(0)
  const shown = useSignal(40)
  const isMoving = useSignal(false)
  useLayoutEffect(() => {
    const look = (): void => {
      const top = -(list.current?.getBoundingClientRect().top ?? 0)
      first.value = Math.max(0, Math.floor(top / rowHeight.value) - overscan)
    }
    const measure = (): void => {
      if (list.current === null) return
      const height = Number.parseFloat(getComputedStyle(list.current).getPropertyValue('--row'))
      if (height > 0) rowHeight.value = height
      shown.value = Math.ceil(innerHeight / rowHeight.value) + 2 * overscan + 1
      look()
    }
    let cancelRest: (() => void) | undefined
    const scroll = (): void => {
      cancelRest?.()
      cancelRest = after(restMs, () => {
        isMoving.value = false
      })
      isMoving.value = true
      look()
    }
    measure()
    addEventListener('scroll', scroll, { passive: true })
    addEventListener('resize', measure)
    return () => {
      cancelRest?.()
      removeEventListener('scroll', scroll)
      removeEventListener('resize', measure)
    }
  }, [])
  const start = Math.min(first.value, Math.max(0, count - shown.value))
  const indexes = Array.from({ length: Math.min(shown.value, count) }, (_, place) => start + place)
  const places = slots.current
    .assign(indexes.map(nameOf))
    .map((slot, place) => ({ slot, index: start + place }))
  if (isMoving.value) places.sort((one, other) => one.slot - other.slot)
  return (
    <div class="table" role="table" aria-label={label} aria-rowcount={count + 1} aria-colcount={columnCount}>
      <div role="rowgroup" class="table-head">
        {head}
      </div>
      <div ref={list} role="rowgroup" class="table-body" style={{ height: `${count * rowHeight.value}px` }}>
        {places.map(({ index, slot }) => renderRow(index, { slot, top: index * rowHeight.value }))}
      </div>
    </div>
  )
}
