/** Which channels go once it is known how many stay. Invariant: the order is that of the scores, whatever the counts. */

import type { ChannelGroups, ChannelLayer } from './channel-groups.js'
import { removedGroups, type RemovedGroups } from './index-mapping.js'

/** All but the best `kept` channels of each layer. */
export function chooseGroups(
  groups: ChannelGroups,
  scores: Float64Array,
  kept: (layer: ChannelLayer) => number,
): RemovedGroups {
  const going = groups.layers.flatMap((layer) =>
    [...layer.groups].sort((a, b) => scores[a]! - scores[b]!).slice(0, layer.groups.length - kept(layer)),
  )
  return removedGroups(groups.count, going)
}
