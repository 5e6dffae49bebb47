/** Sizes that a device accepts, in bytes. Invariant: checked before anything is parsed. */

export const limits = {
  /** A manifest lists 67 bytes a chunk: this holds 3.8 GB worth of variants and is parsed in tens of milliseconds. */
  manifestBytes: 4 * 1024 * 1024,
  /** An envelope is base64 of its payload, and at most 16 signatures. */
  envelopeBytes: 6 * 1024 * 1024,
  /** The envelope of a wish. */
  desiredEnvelopeBytes: 32 * 1024,
  availabilityBytes: 1024,
  /** About 100,000 objects. */
  goldenIndexBytes: 16 * 1024 * 1024,
  desiredBytes: 16 * 1024,
  /** Of one part: below the message limit of every common broker, as a chunk is. */
  indexBytes: 61_440,
  infoBytes: 64 * 1024,
  reportedBytes: 16 * 1024,
  deploymentBytes: 64 * 1024,
  reportBytes: 120 * 1024,
  metricsBytes: 64 * 1024,
  /** 300 detections need about 12 kB. */
  detectionsBytes: 64 * 1024,
  /** A picture of 1920 x 1080 pixels needs about 500 kB. */
  previewBytes: 1024 * 1024,
  /** 16 zones and 16 lines with 50 classes each need about 120 kB, a usual camera 1 kB. */
  countsBytes: 256 * 1024,
  /** One with a picture of 640 pixels needs about 80 kB. */
  eventBytes: 256 * 1024,
  commandBytes: 64 * 1024,
  responseBytes: 120 * 1024,
} as const

/** Cameras of one device: what its info and its metrics have room for. */
export const camerasMax = 64
