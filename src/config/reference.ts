/** Prints the reference of all settings as Markdown. Invariant: config/README.md is exactly this text. */

import { environmentNameOf } from './load.js'
import { camerasSetting, type Setting, settings } from './schema.js'

export function configReference(): string {
  const sections = Object.entries(settings).map(([section, keys]) => {
    const rows = Object.entries(keys).map(([key, setting]) =>
      rowOf(`${section}.${key}`, setting as Setting<unknown>),
    )
    return [`## ${section}`, '', ...tableHead, ...rows].join('\n')
  })
  const cameras = ['## cameras', '', ...tableHead, rowOf('cameras', camerasSetting)].join('\n')
  return `${[intro, ...sections, cameras, scene].join('\n\n')}\n`
}

const intro = [
  '# Settings',
  '',
  'Printed by `yolo-edge check-config --reference`; a test keeps this file equal to the schema.',
  'Later wins: default, file (`--config FILE`, YAML or JSON), environment, `--set section.key=value`.',
  '`yolo-edge check-config --config FILE` checks a file and prints what results.',
].join('\n')

const scene = `### Zones, lines, masks, filters

    cameras:
      - name: belt
        source: rtsp://camera/stream
        zones:
          - name: dock
            polygon: [[0.1, 0.5], [0.9, 0.5], [0.9, 1], [0.1, 1]]
            classes: [person, truck]
            dwell_s: 2
        lines:
          - name: gate
            from: [0.5, 1]
            to: [0.5, 0]
        masks:
          - [[0, 0], [0.3, 0], [0.3, 0.1], [0, 0.1]]
        filters:
          - class: person
            min_score: 0.5
            min_area: 0.001
            max_area: 0.5

Points are shares of the picture, [0, 0] is its upper left corner and [1, 1] its lower right one, so that they hold for every size of it.
An object stands where the middle of the lower edge of its box is. At most 16 zones and 16 lines; each has a name of its own.

- \`zones\`: objects that stand in a polygon count as in it, once they have stayed for \`dwell_s\` seconds (0 unless given). An object leaves a zone when it stands farther outside than a tenth of the longer side of its box.
- \`lines\`: objects that go over the line are counted, forward from the left to the right of whoever looks from \`from\` to \`to\`, and backward. One that turns back within a tenth of the longer side of its box has not crossed.
- \`classes\`: the only classes that count there; all unless given.
- \`masks\`: whatever stands in one of these polygons is ignored, as if it had not been found.
- \`filters\`: of a class, or of all others where \`class\` is absent, what is below \`min_score\` or outside of \`min_area\` and \`max_area\` (shares of the picture) is ignored. Scores below \`inference.conf\` are never seen, so \`min_score\` only raises it.

Zones and lines count tracks: they switch tracking on for their camera, with the settings of \`tracking\`, whatever \`tracking.enabled\` says.
Counts are messages of their own ([counts](../protocol/README.md)). Their sums begin anew at midnight, local time, and survive restarts; a power cut may cost those of the last half minute.`

const tableHead = [
  '| setting | meaning | expected | default | environment |',
  '| --- | --- | --- | --- | --- |',
]

function rowOf(path: string, setting: Setting<unknown>): string {
  const fallback = setting.sensitive === true ? '' : `\`${JSON.stringify(setting.fallback)}\``
  return `| \`${path}\` | ${setting.doc} | ${setting.format.name} | ${fallback} | \`${environmentNameOf(path)}\` |`
}
