/** Whether a command was given a bundle folder: what the folder says itself, no option says again. */

import type { Command } from 'commander'
import { isBundleFolder } from './published-bundle.js'

/** The name under which the rules of options speak of it. */
export const bundleFolder = 'a bundle folder'

/** {@link bundleFolder} where it is what stands in the list of files of `command`, its first argument. */
export async function bundleGiven(command: Command): Promise<readonly string[]> {
  const paths = command.processedArgs[0] as readonly string[]
  return (await isBundleFolder(paths)) ? [bundleFolder] : []
}
