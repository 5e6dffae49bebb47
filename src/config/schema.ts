/**
 * Every setting: what it does, its unit, its bounds, its default.
 * Invariant: the defaults are safe on the smallest device; the reference in config/README.md is printed from here.
 */

import {
  brokerUrl,
  brokerUrlList,
  cameraList,
  flag,
  type Format,
  integerBetween,
  nameList,
  numberBetween,
  oneOf,
  plainName,
  providerLibraryList,
  providerOptionList,
  runnerList,
  text,
  textOrEmpty,
  topicRoot,
  weeklyHoursList,
} from './formats.js'
import { detectionForms } from '../protocol/detections.js'
import { defaultRoot } from '../protocol/topics.js'

/** One setting. */
export interface Setting<T> {
  readonly doc: string
  readonly format: Format<T>
  readonly fallback: T
  /** Never printed. */
  readonly sensitive?: true
}

function setting<T>(doc: string, format: Format<T>, fallback: NoInfer<T>): Setting<T> {
  return { doc, format, fallback }
}

function secret(doc: string): Setting<string> {
  return { doc, format: textOrEmpty, fallback: '', sensitive: true }
}

/** Section -> key -> setting; `cameras` is a list on its own. */
export const settings = {
  device: {
    id: setting('Name of this device in topics. Empty: the host name.', textOrEmpty, ''),
    channel: setting('The update channel this device follows.', plainName, 'stable'),
  },
  broker: {
    url: setting(
      'Address of the MQTT broker; used where broker.urls is empty.',
      brokerUrl,
      'mqtt://127.0.0.1:1883',
    ),
    urls: setting(
      'Addresses of the MQTT broker, or of the nodes of its cluster: tried in turn until one answers.',
      brokerUrlList,
      [],
    ),
    protocol_version: setting('MQTT version: 5, or 4 for MQTT 3.1.1.', oneOf(5, 4), 5),
    topic_root: setting('Where all topics of the fleet live.', topicRoot, defaultRoot),
    username: setting('User name at the broker; empty for none.', textOrEmpty, ''),
    password: secret('Password at the broker; better kept in password_file.'),
    password_file: setting('File whose first line is the password.', textOrEmpty, ''),
    ca_file: setting('PEM file of the authority that signed the broker certificate.', textOrEmpty, ''),
    cert_file: setting('PEM file of the client certificate of this device.', textOrEmpty, ''),
    key_file: setting('PEM file of the private key of the client certificate.', textOrEmpty, ''),
    keepalive_s: setting(
      'Seconds between signs of life; a smaller value finds a dead link sooner.',
      integerBetween(5, 3600),
      30,
    ),
  },
  state: {
    directory: setting('Folder for models, journal and reports that wait.', text, '/var/lib/yolo-edge'),
    quota_mb: setting(
      'The most megabytes that models and downloads may take.',
      integerBetween(16, 1_000_000),
      512,
    ),
  },
  security: {
    trusted_keys: setting(
      'Folder of public keys (*.pub) whose signatures are trusted.',
      text,
      '/etc/yolo-edge/keys',
    ),
    stop_untrusted: setting(
      'Stop serving a model when the keys that signed it are trusted no more; off: it serves on, and the device says so.',
      flag,
      false,
    ),
    allow_unsigned: setting('Accept models that nobody signed. For a bench only.', flag, false),
  },
  delivery: {
    window_chunks: setting(
      'Chunks asked for at once; more is faster on slow links and takes more memory.',
      integerBetween(1, 256),
      32,
    ),
    rate_limit_kb_s: setting(
      'Most kilobytes per second of a download; 0 for no limit.',
      integerBetween(0, 10_000_000),
      0,
    ),
    chunk_timeout_s: setting(
      'Seconds without a chunk before it is asked for again.',
      integerBetween(1, 600),
      10,
    ),
  },
  update: {
    windows: setting(
      'Hours in which this device may change its model, in its local time; empty: always. A first model, and a return to one that was kept before, do not wait.',
      weeklyHoursList,
      [],
    ),
  },
  selection: {
    policy: setting(
      'What the best variant is.',
      oneOf('accuracy-first', 'latency-first', 'balanced'),
      'balanced',
    ),
    latency_target_ms: setting(
      'accuracy-first: the p95 latency a variant must keep.',
      numberBetween(1, 60_000),
      100,
    ),
    map_floor: setting('latency-first: the mAP50-95 a variant must keep, 0..1.', numberBetween(0, 1), 0),
    hysteresis: setting(
      'How much faster, as a share, another variant of equal accuracy has to measure before it replaces the one that serves.',
      numberBetween(0, 1),
      0.1,
    ),
    throttle_s: setting(
      'Seconds that the machine must have been slowed down, or at full speed again, before variants are measured anew; 0: never.',
      integerBetween(0, 86_400),
      300,
    ),
    max_trials: setting('How many variants are measured at the most.', integerBetween(1, 32), 3),
    trial_runs: setting('Timed runs per measured variant.', integerBetween(5, 1000), 30),
    trial_stall_s: setting(
      'Seconds without progress after which a trial on the CPU is given up; other providers, which build engines, get half an hour.',
      integerBetween(1, 86_400),
      120,
    ),
  },
  acceptance: {
    expected_drop_max: setting(
      'mAP50-95 that a new model may lie below the figure of its bundle on the golden set, 0..1.',
      numberBetween(0, 1),
      0.05,
    ),
    active_drop_max: setting(
      'mAP50-95 that a new model may lie below the active one on the golden set, 0..1.',
      numberBetween(0, 1),
      0.05,
    ),
    active_latency_factor_max: setting(
      'How many times the processor time of the active model a new one may take in its trial (on other providers than cpu: its median latency); raise it to deploy a larger model. Load that slows a fixed piece of work as well is forgiven.',
      numberBetween(1, 1000),
      3,
    ),
    soak_s: setting(
      'Seconds that a new model is watched while it serves, before it stays.',
      integerBetween(0, 86_400),
      60,
    ),
    soak_window_s: setting('Seconds of one look at it.', integerBetween(1, 3600), 10),
    latency_factor_max: setting(
      'How many times the processor time of its trial it may take while it serves (on other providers than cpu: its p95 latency). Load that slows a fixed piece of work as well is forgiven.',
      numberBetween(1, 100),
      3,
    ),
    error_share_max: setting('Share of frames that may fail, 0..1.', numberBetween(0, 1), 0.02),
    agreement_min: setting(
      'Smallest agreement with the previous model on the same frames, 0..1; judged only where no golden set has compared the two.',
      numberBetween(0, 1),
      0.2,
    ),
    attempts_max: setting('How often one wish is tried before it is given up.', integerBetween(1, 100), 3),
  },
  inference: {
    providers: setting(
      'Execution providers that may be used, best first. auto: what yolo-edge runtime has added where it is faster than the CPU, and the CPU; with inference.library all that it has.',
      nameList,
      ['auto'],
    ),
    threads: setting('Threads of one inference; 0: every core.', integerBetween(0, 256), 0),
    operators: setting(
      'What an int8 model is computed with on cpu: operators of this program where they load (fused), or those of ONNX Runtime alone (stock). Both give the same bytes.',
      oneOf('fused', 'stock'),
      'fused',
    ),
    library: setting(
      'A shared library of ONNX Runtime to use instead of the one that came along, as an absolute path; it brings its own execution providers. Empty: the one that came along.',
      textOrEmpty,
      '',
    ),
    provider_options: setting(
      'Options of execution providers, such as tensorrt.trt_fp16_enable=1; with inference.library only.',
      providerOptionList,
      [],
    ),
    provider_libraries: setting(
      'Libraries of execution providers that are plugins, such as webgpu=/opt/lib/libonnxruntime_providers_webgpu.so; with an inference.library of release 1.22 or later only.',
      providerLibraryList,
      [],
    ),
    runners: setting(
      'Commands that run artefacts of other kinds than ONNX, such as hef=/usr/local/bin/hailo-runner; deploy/RUNNERS.md says what they must speak.',
      runnerList,
      [],
    ),
    conf: setting('Smallest score of a detection that is reported, 0..1.', numberBetween(0, 1), 0.25),
    iou: setting(
      'Boxes of one class that overlap more than this are one object, 0..1.',
      numberBetween(0, 1),
      0.7,
    ),
    max_det: setting('Most detections in one frame.', integerBetween(1, 3000), 300),
  },
  tracking: {
    enabled: setting(
      'Give objects ids that stay over the frames of a camera (track_id in detections).',
      flag,
      false,
    ),
    low_score: setting(
      'Detections from this score on may continue a track, also below inference.conf, 0..1.',
      numberBetween(0, 1),
      0.1,
    ),
    new_track_score: setting(
      'A track begins with a detection of at least this score, 0..1; never below inference.conf.',
      numberBetween(0, 1),
      0.25,
    ),
    buffer_s: setting(
      'Seconds that an id is kept for an object that is hidden or missed.',
      numberBetween(0, 60),
      1,
    ),
    per_class: setting(
      'A track takes only detections of its own class; off: an object whose class is mistaken in a frame keeps its id.',
      flag,
      false,
    ),
  },
  events: {
    enabled: setting(
      'Send an event when an object enters, stays in and leaves a zone, or crosses a line.',
      flag,
      false,
    ),
    update_s: setting(
      'Seconds between the updates of one stay in a zone; 0: none, only its beginning and its end.',
      integerBetween(0, 3600),
      10,
    ),
    rate_max: setting(
      'Most stays and crossings a minute of one camera that are told; those beyond are counted, but no events.',
      integerBetween(1, 6000),
      120,
    ),
    pictures: setting('Add to the end of a stay the best picture of the object.', flag, false),
    picture_width: setting(
      'Wider pictures of events are made smaller, pixels.',
      integerBetween(64, 1280),
      640,
    ),
    picture_boxes: setting('Draw the box of the object into the pictures of events.', flag, false),
  },
  homeassistant: {
    enabled: setting(
      'Announce this device to Home Assistant over MQTT (discovery): availability, model, figures, and what zones and lines count. Off again: what was announced is taken back.',
      flag,
      false,
    ),
    prefix: setting('The discovery prefix that Home Assistant listens to.', topicRoot, 'homeassistant'),
    picture_s: setting(
      'Seconds between pictures of each camera for Home Assistant, sent whether somebody looks or not; 0: none.',
      integerBetween(0, 3600),
      0,
    ),
  },
  telemetry: {
    metrics_period_s: setting('Seconds between metrics messages.', integerBetween(1, 3600), 10),
    report_period_s: setting(
      'Seconds between accuracy and latency reports.',
      integerBetween(10, 604_800),
      3600,
    ),
    detections: setting('Publish detections of every frame.', flag, true),
    detections_form: setting(
      'full: each object with class name, score, box in pixels and as shares of the picture; compact: flat lists of numbers, a third of the size.',
      oneOf(...detectionForms),
      'full',
    ),
    previews: setting('Send pictures of the cameras to dashboards that ask for them.', flag, true),
    prometheus_port: setting(
      'Port of this machine (127.0.0.1) on which Prometheus reads /metrics and health checks read /healthz; 0: none.',
      integerBetween(0, 65_535),
      0,
    ),
    outbox_mb: setting(
      'Megabytes of reports and events kept while the broker is away; the oldest give way.',
      integerBetween(1, 10_000),
      16,
    ),
  },
  log: {
    level: setting('Smallest level that is logged.', oneOf('debug', 'info', 'warn', 'error'), 'info'),
  },
} as const

export const camerasSetting: Setting<readonly unknown[]> = setting(
  'The cameras: name, source (a path or URI), max_fps (0: as fast as it goes), loop (files start again at their end), and what is watched in their pictures: zones, lines, masks, filters (below).',
  cameraList,
  [],
)
