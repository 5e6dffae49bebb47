/** One addition of each kind, in the order of docs/ADDING.md. */

import type { Addition } from './addition.js'
import { camera } from './camera.js'
import { command } from './command.js'
import { operator } from './operator.js'
import { provider } from './provider.js'
import { setting } from './setting.js'
import { topic } from './topic.js'
import { view } from './view.js'

export const additions: readonly Addition[] = [operator, camera, provider, topic, setting, command, view]
