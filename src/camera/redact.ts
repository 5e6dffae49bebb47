/** Addresses that may be logged. Invariant: no password and no token leaves this folder in a message or a label. */

/** Replaces the user and password of every URL in `text`, and the values of secret-looking query parameters, with `***`. */
export function redactUrls(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]+(?:@[^/?#\s@]*)*@/gi, '$1***@')
    .replaceAll(/([?&#](?:password|passwd|pwd|pass|token|key|secret|auth|user|usr)=)[^&#\s]*/gi, '$1***')
}
