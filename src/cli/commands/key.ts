/**
 * `yolo-edge key rotate` and `key revoke`: a fleet changes the key that signs, with both keys good in between.
 * Invariant: keys never travel over the broker, so a stolen one cannot change whom devices believe; no step is taken that a
 * device which is known would not survive, unless a person insists.
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { AgentError, messageOf } from '../../base/errors.js'
import { parseTrustedKeys, type SigningKey, type TrustedKey } from '../../protocol/keys.js'
import { countersign, dropSignatures } from '../fleet/countersign.js'
import { type BrokerOptions, withBrokerOptions, withFleet } from '../fleet/fleet-connection.js'
import { holdersOf, knownKeys } from '../fleet/known-keys.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { writeKeyPair } from '../fleet/write-key-pair.js'
import { processOutput } from '../output.js'

interface RotateOptions extends BrokerOptions {
  readonly sign: string
  readonly to: string
  readonly json?: boolean
}

interface RevokeOptions extends BrokerOptions {
  readonly sign: string
  readonly force?: boolean
  readonly json?: boolean
}

export function keyCommand(): Command {
  return new Command('key')
    .description('Change the key that signs: rotate, then revoke; both keys are good in between.')
    .addCommand(rotateCommand())
    .addCommand(revokeCommand())
    .addHelpText(
      'after',
      `
A rotation, with no device left behind:
  yolo-edge key rotate --sign fleet.key --to fleet-2 --broker URL    makes fleet-2, signs with it what fleet.key signed
  copy fleet-2.pub beside fleet.pub on every device; nothing is restarted
  yolo-edge key rotate --sign fleet.key --to fleet-2 --broker URL    says which devices do not have it yet
  sign with fleet-2.key from now on
  yolo-edge key revoke fleet.pub --sign fleet-2.key --broker URL     takes the old signatures off the broker
  remove fleet.pub from every device`,
    )
}

function rotateCommand(): Command {
  const command = new Command('rotate')
    .description(
      'Sign with a new key everything on the broker that the old key signed; the old one stays good.',
    )
    .requiredOption('--sign <key>', 'the private key of today')
    .requiredOption('--to <name>', 'path of the new key pair, without endings; made unless it is there')
    .option('--json', 'print JSON')
  return withBrokerOptions(command).action(rotate)
}

function revokeCommand(): Command {
  const command = new Command('revoke')
    .description(
      'Take the signatures of a key off everything on the broker, and say which devices still trust it.',
    )
    .argument('<key>', 'the public key that is to be trusted no more, such as fleet.pub')
    .requiredOption('--sign <key>', 'the private key that has taken its place')
    .option('--force', 'also where devices do not trust the new key: they take nothing until they do')
    .option('--json', 'print JSON')
  return withBrokerOptions(command).action(revoke)
}

async function rotate(options: RotateOptions): Promise<void> {
  const output = processOutput(options.json ?? false)
  const old = await readSigningKey(options.sign)
  const isNew = !existsSync(`${options.to}.key`)
  if (isNew) await writeKeyPair(options.to)
  const next = await readSigningKey(`${options.to}.key`)
  requireOther(old, next)
  const { figures, holders } = await withFleet(options, async (fleet) => ({
    figures: await countersign(fleet, old, next),
    holders: holdersOf(await knownKeys(fleet), next.keyId),
  }))
  output.result({
    ...{ old_key: old.keyId, new_key: next.keyId, made: isNew },
    ...{ signed: figures.changed, signed_before: figures.right, foreign: figures.foreign },
    ...{ devices_with_key: holders.trusting, devices_without_key: holders.lacking },
  })
  output.line(`key ${next.keyId} ${isNew ? 'is made' : 'was there'}: ${options.to}.key and ${options.to}.pub`)
  output.line(
    `${figures.changed.length} messages on the broker signed with it, ${figures.right.length} were already`,
  )
  for (const topic of figures.foreign)
    output.note(`${topic} was not signed with the old key, and is left alone`)
  if (holders.lacking.length === 0 && holders.trusting.length > 0)
    output.line(`all ${holders.trusting.length} devices trust it: yolo-edge key revoke ends the old one`)
  else output.line(`copy ${options.to}.pub to the devices that do not trust it: ${listOf(holders.lacking)}`)
}

async function revoke(path: string, options: RevokeOptions): Promise<void> {
  const output = processOutput(options.json ?? false)
  const revoked = await readPublicKey(path)
  const next = await readSigningKey(options.sign)
  requireOther(revoked, next)
  const { figures, holders } = await withFleet(options, async (fleet) => {
    const said = await knownKeys(fleet)
    const { lacking } = holdersOf(said, next.keyId)
    if (lacking.length > 0 && options.force !== true) {
      const problem = `${lacking.length} devices do not trust ${options.sign}: ${listOf(lacking)}`
      throw new AgentError('trust.key_unknown', problem, {
        hint: 'copy its .pub to them, or --force: they take no model and no wish until they have it',
      })
    }
    return { figures: await dropSignatures(fleet, revoked, next), holders: holdersOf(said, revoked.keyId) }
  })
  output.result({
    ...{ revoked_key: revoked.keyId, key: next.keyId },
    ...{ changed: figures.changed, only_revoked: figures.foreign, devices_trusting: holders.trusting },
  })
  output.line(`${figures.changed.length} messages on the broker have lost the signature of ${revoked.keyId}`)
  for (const topic of figures.foreign)
    output.note(`${topic} is signed with that key alone: sign it anew if it is yours, or clear it`)
  output.line(
    holders.trusting.length === 0
      ? 'no device that is known trusts that key any more'
      : `remove the key from the devices that still trust it: ${listOf(holders.trusting)}`,
  )
}

function requireOther(old: Pick<TrustedKey, 'keyId'>, next: SigningKey): void {
  if (old.keyId !== next.keyId) return
  throw new AgentError('cli.argument_invalid', `both keys are ${next.keyId}: expected two different ones`)
}

/** So many names are listed. */
const namesMax = 20

function listOf(names: readonly string[]): string {
  if (names.length === 0) return 'none is known'
  const more = names.length > namesMax ? `, and ${names.length - namesMax} more` : ''
  return `${names.slice(0, namesMax).join(', ')}${more}`
}

async function readPublicKey(path: string): Promise<TrustedKey> {
  try {
    const [key, ...others] = parseTrustedKeys(await readFile(path, 'utf8'))
    if (key !== undefined && others.length === 0) return key
    throw new AgentError('trust.key_unreadable', 'it holds several keys, expected one')
  } catch (thrown) {
    throw new AgentError('trust.key_unreadable', `${messageOf(thrown)}; the file is ${path}`, {
      cause: thrown,
    })
  }
}
