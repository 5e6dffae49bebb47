/**
 * The model that serves, and its replacement between two frames.
 * Invariant: a model is closed exactly once, after the last frame that began with it; there is always a current one
 * until close(). One slot serves every camera of the device.
 */

import { invariant } from '../base/assert.js'
import { collectGarbage } from '../base/collect-garbage.js'
import type { ModelIdentity } from './frame-result.js'
import type { Detector } from './ports.js'

/** An opened, warm model. */
export interface LoadedModel {
  readonly detector: Detector
  readonly identity: ModelIdentity
}

/** The right to use a model for one frame. */
export interface ModelLease extends LoadedModel {
  /** Called exactly once. */
  release(): void
}

interface Tenant {
  readonly model: LoadedModel
  uses: number
  isRetired: boolean
  /** Resolves when the model is retired and no frame uses it. */
  readonly drained: Promise<void>
  readonly onDrained: () => void
}

export class ModelSlot {
  #tenant: Tenant
  #swaps = 0
  #closing: Promise<void> | undefined

  /** Takes `model`. */
  constructor(model: LoadedModel) {
    this.#tenant = tenantOf(model)
  }

  /** The model of the next frame; borrowed. */
  get current(): LoadedModel {
    return this.#tenant.model
  }

  /** How many times the model was replaced. */
  get swaps(): number {
    return this.#swaps
  }

  /** The current model for one frame: it stays open until the lease is released, whatever is swapped in meanwhile. */
  lease(): ModelLease {
    const tenant = this.#tenant
    invariant(this.#closing === undefined, 'a model slot is not used after close')
    tenant.uses++
    return {
      ...tenant.model,
      release: () => {
        tenant.uses--
        invariant(tenant.uses >= 0, 'a model lease is released once')
        settle(tenant)
      },
    }
  }

  /**
   * The next frame of every camera uses `model` (taken; opened and warm already). Resolves when the frames under way are
   * done and the old model is closed. Rejects with what closing it throws; the new model serves then all the same.
   */
  async swap(model: LoadedModel): Promise<void> {
    invariant(this.#closing === undefined, 'no model is swapped in after close')
    const old = this.#tenant
    this.#tenant = tenantOf(model)
    this.#swaps++
    await retire(old)
    // A swap is rare, and what is left of the old model's thread holds native memory that V8 does not see.
    collectGarbage()
  }

  /** Closes the current model after the frames under way. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= retire(this.#tenant)
    return this.#closing
  }
}

function tenantOf(model: LoadedModel): Tenant {
  let onDrained = (): void => undefined
  const drained = new Promise<void>((resolve) => {
    onDrained = resolve
  })
  return { model, uses: 0, isRetired: false, drained, onDrained }
}

async function retire(tenant: Tenant): Promise<void> {
  tenant.isRetired = true
  settle(tenant)
  await tenant.drained
  await tenant.model.detector.close()
}

function settle(tenant: Tenant): void {
  if (tenant.isRetired && tenant.uses === 0) tenant.onDrained()
}
