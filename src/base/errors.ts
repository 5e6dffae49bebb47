/**
 * The one table of error codes and the one error class of the product.
 * Invariant: every operating error that leaves a folder is an AgentError whose code is a row here; codes go over
 * the wire in reports, so a row is never renamed.
 */

/** How an operation that failed with a code may be tried again. */
export type RetryPolicy = 'never' | 'later' | 'at-once'

interface ErrorRow {
  /** May the same operation succeed if repeated, and when. */
  readonly retry: RetryPolicy
  /** Exit status of the command line when this ends it. */
  readonly exit: number
}

/** Exit codes: 2 usage or configuration, 3 bad input, 4 refused on trust, 5 resource, 6 network, 7 device, 8 inference, 70 internal. */
export const errorTable = {
  'config.value_invalid': { retry: 'never', exit: 2 },
  'config.file_unreadable': { retry: 'never', exit: 2 },
  'cli.argument_invalid': { retry: 'never', exit: 2 },

  'model.file_unreadable': { retry: 'never', exit: 3 },
  'model.parse_failed': { retry: 'never', exit: 3 },
  'model.graph_invalid': { retry: 'never', exit: 3 },
  'model.op_unsupported': { retry: 'never', exit: 3 },
  'model.not_yolov8': { retry: 'never', exit: 3 },
  'model.quantized_already': { retry: 'never', exit: 3 },
  'model.labels_invalid': { retry: 'never', exit: 3 },

  'dataset.folder_unusable': { retry: 'never', exit: 3 },
  'dataset.label_invalid': { retry: 'never', exit: 3 },
  'image.decode_failed': { retry: 'never', exit: 3 },

  'compress.plan_invalid': { retry: 'never', exit: 3 },
  'compress.budget_unreachable': { retry: 'never', exit: 3 },
  'compress.agreement_low': { retry: 'never', exit: 3 },
  'compress.pass_failed': { retry: 'never', exit: 70 },

  'training.loss_diverged': { retry: 'never', exit: 3 },
  'training.checkpoint_unusable': { retry: 'never', exit: 3 },

  'protocol.payload_malformed': { retry: 'never', exit: 3 },
  'protocol.payload_oversized': { retry: 'never', exit: 3 },
  'protocol.version_unsupported': { retry: 'never', exit: 3 },
  'protocol.name_invalid': { retry: 'never', exit: 3 },
  'protocol.request_expired': { retry: 'later', exit: 6 },

  'trust.signature_invalid': { retry: 'never', exit: 4 },
  'trust.key_unknown': { retry: 'never', exit: 4 },
  'trust.key_unreadable': { retry: 'never', exit: 4 },
  'trust.unsigned_refused': { retry: 'never', exit: 4 },
  'trust.sequence_stale': { retry: 'never', exit: 4 },
  'trust.wish_expired': { retry: 'never', exit: 4 },
  'trust.manifest_expired': { retry: 'never', exit: 4 },
  'integrity.digest_mismatch': { retry: 'at-once', exit: 4 },
  'integrity.size_mismatch': { retry: 'at-once', exit: 4 },

  'bundle.file_missing': { retry: 'never', exit: 3 },
  'bundle.version_exists': { retry: 'never', exit: 3 },
  'bundle.version_wanted': { retry: 'never', exit: 3 },
  'store.state_corrupt': { retry: 'never', exit: 5 },
  'resource.disk_full': { retry: 'later', exit: 5 },
  'resource.file_unwritable': { retry: 'later', exit: 5 },
  'resource.memory_exhausted': { retry: 'later', exit: 5 },
  'resource.tool_missing': { retry: 'never', exit: 5 },

  'network.broker_unreachable': { retry: 'later', exit: 6 },
  'network.broker_refused': { retry: 'later', exit: 6 },
  'network.connection_lost': { retry: 'later', exit: 6 },
  'network.reading_unfinished': { retry: 'later', exit: 6 },
  'network.message_unkept': { retry: 'later', exit: 6 },
  'network.broker_unfit': { retry: 'never', exit: 6 },
  'network.request_timeout': { retry: 'later', exit: 6 },
  'network.chunk_missing': { retry: 'later', exit: 6 },

  'deployment.wish_superseded': { retry: 'later', exit: 8 },
  'deployment.run_interrupted': { retry: 'later', exit: 8 },
  'deployment.crash_loop': { retry: 'later', exit: 8 },
  'deployment.variant_kept': { retry: 'later', exit: 8 },
  'deployment.trial_failed': { retry: 'never', exit: 8 },
  'deployment.accuracy_low': { retry: 'never', exit: 8 },
  'deployment.latency_high': { retry: 'never', exit: 8 },
  'deployment.soak_failed': { retry: 'never', exit: 8 },

  'camera.source_invalid': { retry: 'never', exit: 7 },
  'camera.open_failed': { retry: 'later', exit: 7 },
  'camera.stream_broken': { retry: 'later', exit: 7 },
  'camera.stream_stalled': { retry: 'later', exit: 7 },

  'inference.load_failed': { retry: 'never', exit: 8 },
  'inference.provider_unavailable': { retry: 'never', exit: 8 },
  'inference.run_failed': { retry: 'later', exit: 8 },
  'inference.worker_died': { retry: 'later', exit: 8 },
  'inference.output_invalid': { retry: 'never', exit: 8 },
  'variant.none_eligible': { retry: 'never', exit: 8 },

  'internal.invariant_broken': { retry: 'never', exit: 70 },
} as const satisfies Readonly<Record<string, ErrorRow>>

/** A code of the table: `kind.noun_verb`. */
export type ErrorCode = keyof typeof errorTable

/** `text` when it is a code of the table; a newer version's is not. */
export function errorCodeOf(text: string): ErrorCode | undefined {
  return Object.hasOwn(errorTable, text) ? (text as ErrorCode) : undefined
}

export interface AgentErrorOptions {
  /** The error that led to this one; kept for logs, never shown to a person. */
  readonly cause?: unknown
  /** What a person can do about it: one sentence, imperative. */
  readonly hint?: string
}

/**
 * An operating error.
 * `message` is one sentence for a person: what was attempted, the value, what was expected; no trailing period.
 */
export class AgentError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: AgentErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'AgentError'
    this.code = code
    this.hint = options.hint
  }

  get retry(): RetryPolicy {
    return errorTable[this.code].retry
  }

  get exitCode(): number {
    return errorTable[this.code].exit
  }
}

/** Whether `value` is an AgentError, of one of `codes` if any are given. */
export function isAgentError(value: unknown, ...codes: readonly ErrorCode[]): value is AgentError {
  return value instanceof AgentError && (codes.length === 0 || codes.includes(value.code))
}

/** The message of anything thrown, on one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return text.replaceAll(/\s*\n\s*/g, ' ').trim()
}

/** The system error code (`ENOENT`, `ENOSPC`, ...) of anything thrown, or undefined. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

/** Keeps an AgentError as it is; gives anything else `code`, with its message appended to `attempt`. */
export function wrapError(thrown: unknown, code: ErrorCode, attempt: string): AgentError {
  if (thrown instanceof AgentError) return thrown
  return new AgentError(code, `${attempt}: ${messageOf(thrown)}`, { cause: thrown })
}
