/** What a SHA-256 looks like as text. Invariant: no node module, so that payloads which carry digests parse anywhere. */

/** 64 lower-case hexadecimal digits. */
export type Sha256 = string

/** Whether `text` is a digest as {@link Sha256} has it. */
export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text)
}
