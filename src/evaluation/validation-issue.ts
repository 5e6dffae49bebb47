/** Words for what valibot finds wrong. Invariant: one sentence with the place, what was expected and what is there. */

import * as v from 'valibot'

/** Describes the first thing that does not fit a schema: `images[3].width: expected >=1, found 0`. */
export function issueText(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)?.replaceAll(/\.(\d+)/g, '[$1]') ?? 'the file'
  return `${path}: expected ${issue.expected ?? 'another value'}, found ${issue.received}`
}
