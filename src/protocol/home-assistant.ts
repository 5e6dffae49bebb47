/**
 * A device as Home Assistant finds it over MQTT: one message with the device and all its entities, retained below the prefix that
 * Home Assistant listens to (MQTT discovery by device, https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload).
 *
 *     availability    whether the device is connected          devices/<id>/availability
 *     camera          a picture every few seconds              devices/<id>/preview/<camera>
 *     sensor          frames a second, latency, temperature    devices/<id>/metrics
 *     binary_sensor   whether a zone is occupied, by class     devices/<id>/counts/<camera>
 *     sensor          objects in a zone, entries, crossings    devices/<id>/counts/<camera>
 *     update          version that serves, and progress        devices/<id>/reported
 *
 * Invariant: unique ids come from names in the settings alone, so that they hold over restarts; no name becomes part of a template but as
 * a string in which every unusual character is escaped.
 */

import { sha256Of } from '../base/digest.js'
import { AgentError } from '../base/errors.js'
import { defaultRoot, type Topics } from './topics.js'

/** A camera with what it counts. */
export interface AnnouncedCamera {
  readonly name: string
  /** Whether pictures of it are sent. */
  readonly hasPictures: boolean
  readonly zones: readonly AnnouncedCounter[]
  readonly lines: readonly AnnouncedCounter[]
}

/** A zone or a line; entities of single classes are made of those that it names. */
interface AnnouncedCounter {
  readonly name: string
  readonly classes?: readonly string[]
}

/** What is announced. */
export interface AnnouncedDevice {
  readonly device: string
  readonly topics: Topics
  /** Of the board, such as `Raspberry Pi 5 Model B Rev 1.0`. */
  readonly board: string
  readonly agentVersion: string
  readonly cameras: readonly AnnouncedCamera[]
}

/** More than common brokers take in one message with their default settings is not tried. */
const bytesMax = 256 * 1024

type Component = Readonly<Record<string, unknown>>

/** The topic of the announcement of a device below `prefix`, which is `homeassistant` unless Home Assistant was told otherwise. */
export function homeAssistantTopic(prefix: string, topics: Topics, device: string): string {
  return `${prefix}/device/${objectIdOf(topics, device)}/config`
}

/**
 * The announcement of a device: JSON. Throws `protocol.payload_oversized` for more than 256 kB, which several hundred entities need.
 */
export function encodeHomeAssistantDevice(announced: AnnouncedDevice): Uint8Array {
  const { device, topics, board, agentVersion, cameras } = announced
  const id = objectIdOf(topics, device)
  const components = [
    ...deviceComponents(topics, device),
    ...cameras.flatMap((camera) => cameraComponents(topics, device, camera)),
  ].map(([key, component]): [string, Component] => [key, { ...component, unique_id: `${id}-${key}` }])
  const bytes = Buffer.from(
    JSON.stringify({
      device: {
        identifiers: [id],
        name: device,
        manufacturer: 'yolo-edge-agent',
        model: board,
        sw_version: agentVersion,
      },
      origin: { name: 'yolo-edge-agent', sw_version: agentVersion },
      availability_topic: topics.deviceState(device, 'availability'),
      availability_template: "{{ 'online' if value == 'online' else 'offline' }}",
      qos: 1,
      components: Object.fromEntries(components),
    }),
  )
  if (bytes.byteLength <= bytesMax) return bytes
  throw new AgentError(
    'protocol.payload_oversized',
    `cannot announce ${components.length} entities to Home Assistant: they take ${bytes.byteLength} bytes, expected at most ${bytesMax}; name fewer classes in zones and lines`,
  )
}

/** Home Assistant takes letters, digits, `-` and `_`; a digest keeps apart what would be the same without the other characters. */
function objectIdOf({ root }: Topics, device: string): string {
  const plain = `yolo-edge-${device.replaceAll('.', '-')}`
  if (root === defaultRoot && !device.includes('.')) return plain
  return `${plain}-${digestOf(`${root}/${device}`)}`
}

const digestOf = (text: string): string => sha256Of(Buffer.from(text)).slice(0, 8)

/** A key for any name of a class: the name where it is plain, and a digest where it is not. */
function keyOf(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name)
    ? name
    : `${name.replaceAll(/[^A-Za-z0-9_-]+/g, '-').slice(0, 32)}-${digestOf(name)}`
}

/** `text` as a string of a template: whatever it holds, it ends nothing and begins nothing. */
function templateString(text: string): string {
  const escaped = text.replaceAll(
    /[^A-Za-z0-9 _-]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `"${escaped}"`
}

/** The item of a list in the message that has this name. */
const itemOf = (list: string, name: string): string =>
  `value_json.${list} | selectattr("name", "eq", ${templateString(name)})`

/** A number of such an item, `fallback` where there is none. */
const numberOf = (items: string, key: string, fallback: string): string =>
  `${items} | map(attribute="${key}") | select("defined") | first | default(${fallback})`

const unknownNumber = '"None"'

function deviceComponents(topics: Topics, device: string): readonly (readonly [string, Component])[] {
  return [
    [
      'temperature',
      {
        platform: 'sensor',
        name: 'Temperature',
        state_topic: topics.deviceState(device, 'metrics'),
        value_template: `{{ value_json.temperature_c | default(${unknownNumber}) }}`,
        ...{ device_class: 'temperature', unit_of_measurement: '°C', state_class: 'measurement' },
        entity_category: 'diagnostic',
      },
    ],
    [
      'model',
      {
        platform: 'update',
        name: 'Model',
        state_topic: topics.deviceState(device, 'reported'),
        value_template: updateTemplate,
        entity_category: 'diagnostic',
      },
    ],
  ]
}

/** What the update entity reads: the version that serves, the newest one that was asked for, and how far it is. */
const updateTemplate = [
  '{% set serving = value_json.active.version if value_json.active is defined else "none" %}',
  '{% set coming = value_json.updating if value_json.updating is defined else none %}',
  '{% set refused = value_json.refused.version if value_json.refused is defined else serving %}',
  '{{ {"installed_version": serving,',
  ' "latest_version": coming.version if coming else refused,',
  ' "title": (coming or value_json.active | default({})).model | default("no model"),',
  ' "in_progress": coming is not none,',
  ' "update_percentage": (coming.progress * 100) | round if coming else none} | to_json }}',
].join('')

function cameraComponents(
  topics: Topics,
  device: string,
  camera: AnnouncedCamera,
): readonly (readonly [string, Component])[] {
  const { name, hasPictures } = camera
  const key = keyOf(name)
  const metrics = topics.deviceState(device, 'metrics')
  const item = itemOf('cameras', name)
  const figure = {
    platform: 'sensor',
    state_topic: metrics,
    state_class: 'measurement',
    entity_category: 'diagnostic',
  }
  const latency = `${item} | map(attribute="end_to_end") | select("defined")`
  return [
    ...(hasPictures
      ? [[key, { platform: 'camera', name, topic: topics.preview(device, name) }] as const]
      : []),
    [
      `${key}-fps`,
      {
        ...figure,
        name: `${name} frames per second`,
        value_template: `{{ ${numberOf(item, 'processed_fps', unknownNumber)} }}`,
        ...{ unit_of_measurement: 'fps', suggested_display_precision: 1 },
      },
    ],
    [
      `${key}-latency`,
      {
        ...figure,
        name: `${name} latency`,
        value_template: `{{ ${numberOf(latency, 'p95_ms', unknownNumber)} }}`,
        ...{ device_class: 'duration', unit_of_measurement: 'ms', suggested_display_precision: 0 },
      },
    ],
    ...counterComponents(topics.counts(device, name), camera),
  ]
}

/** Whether and how many, in a zone and over a line, of all classes and of each that is named. */
function counterComponents(
  topic: string,
  { name: camera, zones, lines }: AnnouncedCamera,
): readonly (readonly [string, Component])[] {
  const entities: (readonly [string, Component])[] = []
  const add = (key: string, label: string, component: Component): void => {
    const common = { name: `${camera} ${label}`, state_topic: topic }
    entities.push([`${keyOf(camera)}-${key}`, { ...common, ...component }])
  }
  const addSum = (key: string, label: string, value: string): void => {
    const value_template = `{{ ${value} }}`
    add(key, label, { platform: 'sensor', state_class: 'total_increasing', value_template })
  }
  const placesOf = (list: string, { name, classes = [] }: AnnouncedCounter): readonly Place[] => {
    const item = itemOf(list, name)
    const key = keyOf(name)
    const whole = { key, label: name, item }
    return [
      whole,
      ...classes.map((each) => ({
        key: `${key}-${keyOf(each)}`,
        label: `${name} ${each}`,
        item: `${item} | map(attribute="classes") | sum(start=[]) | selectattr("class", "eq", ${templateString(each)})`,
      })),
    ]
  }
  for (const { key, label, item } of zones.flatMap((zone) => placesOf('zones', zone))) {
    const objects = numberOf(item, 'objects', '0')
    add(`${key}-occupied`, `${label} occupied`, {
      platform: 'binary_sensor',
      device_class: 'occupancy',
      value_template: `{{ "ON" if (${objects}) | int > 0 else "OFF" }}`,
    })
    add(`${key}-objects`, `${label} objects`, {
      ...{ platform: 'sensor', state_class: 'measurement', value_template: `{{ ${objects} }}` },
    })
    addSum(`${key}-entered`, `${label} entered today`, numberOf(item, 'entered', '0'))
  }
  for (const { key, label, item } of lines.flatMap((line) => placesOf('lines', line)))
    for (const direction of ['forward', 'backward'])
      addSum(`${key}-${direction}`, `${label} ${direction} today`, numberOf(item, direction, '0'))
  return entities
}

interface Place {
  readonly key: string
  readonly label: string
  /** The template of the list that holds its item alone. */
  readonly item: string
}
