/**
 * The machines that packages are made for, and the Node.js that goes into them.
 * Invariant: a runtime is used only when its archive has the digest of this table.
 */

/** One machine that a package is made for. */
export interface Target {
  /** As dpkg names it: `arm64`. */
  readonly debian: string
  /** As Node.js names it (`process.arch`): `arm64`. */
  readonly cpu: string
  /** Subresource integrity of the npm archive that holds the Node.js of this machine. */
  readonly nodeIntegrity: string
}

/** Node.js of the long-term line that is maintained until April 2028, built against glibc 2.28. */
export const nodeVersion = '24.21.0'

export const targets: readonly Target[] = [
  {
    debian: 'arm64',
    cpu: 'arm64',
    nodeIntegrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  {
    debian: 'amd64',
    cpu: 'x64',
    nodeIntegrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
]
