/**
 * Records one message of each kind in a run of the demo, as examples for the documents of the protocol.
 *
 *     npm run bench -- protocol-examples && yolo-edge protocol --out protocol
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { recordedExamples } from '../helpers/recorded-examples.js'
import { projectRoot } from '../helpers/paths.js'

const examples = await recordedExamples()
writeFileSync(join(projectRoot, 'protocol', 'examples.json'), `${JSON.stringify(examples, undefined, 2)}\n`)
console.log(`examples of ${Object.keys(examples).join(', ')}`)
