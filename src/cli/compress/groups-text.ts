/** Channel groups for people and scripts: what pruning may take out of a model, and what it may not. */

import type { ChannelGroups } from '../../compress/pruning/channel-groups.js'
import { table } from '../output.js'

/** Snake case, for JSON. */
export function groupsSummary(groups: ChannelGroups): object {
  return {
    convolution_channels: groups.convolutionChannels,
    groups: groups.count,
    layers: groups.layers.map((layer) => ({
      name: layer.name,
      channels: layer.groups.length,
      producers: producersOf(groups, layer.groups),
      readers: readersOf(groups, layer.groups),
    })),
    staying: [...groups.frozen].map(([reason, channels]) => ({ channels, reason })),
    barriers: groups.barriers.map(({ node, opType }) => ({ node, operator: opType })),
  }
}

/** Tables of layers, of what stays, and of barriers. */
export function groupsText(groups: ChannelGroups): string {
  const layers = groups.layers.map((layer) => [
    layer.name,
    String(layer.groups.length),
    String(producersOf(groups, layer.groups)),
    readersOf(groups, layer.groups).join(' '),
  ])
  const parts = [
    `${groups.count} groups of ${groups.convolutionChannels} convolution channels can go, in ${groups.layers.length} layers`,
    table([['layer', 'groups', 'filters each', 'read by'], ...layers]),
  ]
  const staying = [...groups.frozen].map(([reason, channels]) => [String(channels), reason])
  if (staying.length > 0) parts.push(table([['channels that stay', 'because'], ...staying]))
  const barriers = groups.barriers.map(({ node, opType }) => [node, opType])
  if (barriers.length > 0) parts.push(table([['barrier', 'operator without a rule'], ...barriers]))
  return parts.join('\n\n')
}

/** Filters that make one channel of the layer. */
function producersOf(groups: ChannelGroups, members: Int32Array): number {
  return groups.producerCounts[members[0] ?? 0] ?? 0
}

function readersOf(groups: ChannelGroups, members: Int32Array): readonly string[] {
  const [first] = members
  const readers = groups.axes.filter(
    (axis) => axis.role === 'consumes' && first !== undefined && axis.groups.includes(first),
  )
  return [...new Set(readers.map((axis) => axis.node.name))]
}
