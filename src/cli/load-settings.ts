/** The settings of an agent: loaded, and its cameras looked at. Invariant: all problems are told at once. */

import { cameraProblems } from '../agent/serving/camera-problems.js'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'

/** From a file, the environment and `--set`. Throws as loadConfig does; a camera that no address can name is a problem too. */
export function loadSettings(options: {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
}): Config {
  return loadConfig({
    file: options.config,
    env: process.env,
    overrides: options.set,
    check: ({ cameras }) => cameraProblems(cameras).map(({ detail }) => detail),
  })
}
