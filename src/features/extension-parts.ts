// What becomes of an extension: a filter that is asked for by name, or a patch of messages that are there. Types only.

import type { Any } from '../gen/google/protobuf/any.js';
import type { Extensions } from './extensions.js';
import type { ProviderConfig } from './feature.js';
import type { Fields } from './message-json.js';

/** The messages that a patch can be laid over. */
export type Hook = NonNullable<Extensions[number]['patch']>['hook'];

/** An HTTP filter. */
export interface FilterExtension {
  readonly kind: 'filter';
  /** Type URL of the filter. */
  readonly type: string;
  /** Name of the provider that it asks, if it asks one. */
  readonly provider?: string | undefined;
  /** The filter, given its provider; undefined: that does not resolve. */
  readonly filter: (provider: ProviderConfig | undefined) => Any;
  /** In force where Envoy has refused `filter`; without one requests answer 500 there. */
  readonly fallback?: Any;
  /** What routes say to the filter. */
  readonly perRoute?: Any;
}

/** Fields that are laid over messages. */
export interface PatchExtension {
  readonly kind: 'patch';
  readonly hook: Hook;
  /** Names of resources: exact, or with `*` at either end. */
  readonly match: string;
  readonly fields: Fields;
  /** `1.39`; undefined: every version. */
  readonly minEnvoyVersion: string | undefined;
}

export type ExtensionPart = FilterExtension | PatchExtension;
