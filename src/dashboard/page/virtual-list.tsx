/**
 * Only the rows in sight exist. Invariant: the scroll bar is that of the whole list; the focused row keeps its focus
 * while it is in sight.
 */

import { useSignal } from '@preact/signals'
import type { VNode } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

interface Props {
  readonly count: number
  readonly renderRow: (index: number, top: number) => VNode
  readonly label: string
  readonly columnCount: number
  readonly head: VNode
}

const overscan = 6

export function VirtualList({ count, renderRow, label, columnCount, head }: Props): VNode {
  const list = useRef<HTMLDivElement>(null)
  const rowHeight = useSignal(48)
  const first = useSignal(0)
  const last = useSignal(40)
  const look = (): void => {
    const element = list.current
    if (element === null) return
    const height = Number.parseFloat(getComputedStyle(element).getPropertyValue('--row'))
    if (height > 0) rowHeight.value = height
    const top = -element.getBoundingClientRect().top
    first.value = Math.max(0, Math.floor(top / rowHeight.value) - overscan)
    last.value = Math.ceil((top + innerHeight) / rowHeight.value) + overscan
  }
  useLayoutEffect(() => {
    look()
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [])
  const rows: VNode[] = []
  for (let index = first.value; index < Math.min(count, last.value); index++)
    rows.push(renderRow(index, index * rowHeight.value))
  return (
    <div class="table" role="table" aria-label={label} aria-rowcount={count + 1} aria-colcount={columnCount}>
      <div role="rowgroup" class="table-head">
        {head}
      </div>
      <div ref={list} role="rowgroup" class="table-body" style={{ height: `${count * rowHeight.value}px` }}>
        {rows}
      </div>
    </div>
  )
}
