// What a modelled client remembers of one type, and how that compares with what it should have.

import type { Protocol } from '../../src/xds/plan.js';
import { isWildcardType, type ResourceType } from '../../src/xds/resources.js';
import type { Received } from './client.js';

/** A response that is not answered. */
export interface Pending {
  readonly response: Received;
  applied: boolean;
}

/** What a client knows of one type. */
export interface TypeMemory {
  asked: boolean;
  wildcard: boolean;
  everNamed: boolean;
  readonly names: Set<string>;
  /** `a@1` with the version of the resource. */
  readonly held: Map<string, { readonly label: string; readonly version: string }>;
  /** Received and not answered; Envoy may have applied it all the same. */
  readonly pending: Pending[];
  version: string;
  nonce: string;
  /** State of the world: it came back with things that the server cannot know, and has accepted nothing since. */
  blind: boolean;
  readonly refused: Set<string>;
  /** Refused in a way from which the server may or may not have learnt it. */
  readonly doubtful: Set<string>;
  /** Names that it took in responses of which the server only heard a refusal that names nobody. */
  readonly untold: Set<string>;
}

/** A client that has asked for nothing. */
export const fresh = (): TypeMemory => ({
  asked: false,
  wildcard: false,
  everNamed: false,
  names: new Set(),
  held: new Map(),
  pending: [],
  version: '',
  nonce: '',
  blind: false,
  refused: new Set(),
  doubtful: new Set(),
  untold: new Set(),
});

/** The name in a label such as `a@1`. */
export const nameIn = (label: string): string => label.slice(0, label.lastIndexOf('@'));

/** Labels of what a response would change. */
export const newTo = (memory: TypeMemory, response: Received): readonly string[] =>
  [...response.resources.values()]
    .map((one) => one.label)
    .filter((label) => memory.held.get(nameIn(label))?.label !== label && !label.endsWith('@empty'));

interface Holding {
  readonly type: ResourceType;
  readonly memory: TypeMemory;
  readonly wanted: ReadonlyMap<string, string>;
  readonly protocol: Protocol;
}

/** Where what a client holds is not what it should have. */
export function differenceOf({ type, memory, wanted, protocol }: Holding): readonly string[] {
  // To send the rest without the culprit would delete what the client had under that name.
  if (protocol === 'sotw' && memory.blind && memory.refused.size + memory.doubtful.size > 0) return [];
  const isExcused = (label: string): boolean => memory.refused.has(label) || memory.doubtful.has(label);
  const missing = [...wanted]
    .filter(([name, label]) => memory.held.get(name)?.label !== label && !isExcused(label))
    .map(([name, label]) => `${type} ${label} is missing; there is ${memory.held.get(name)?.label ?? 'nothing'}`);
  // Endpoints leave with their clusters; state of the world cannot remove what is named; a refused route may still need its cluster.
  const mayStay = type === 'endpoint' || type === 'cluster' || (protocol === 'sotw' && !isWildcardType(type));
  if (mayStay) return missing;
  const surplus = [...memory.held.keys()].filter((name) => !wanted.has(name));
  return [...missing, ...surplus.map((name) => `${type} ${name} should be gone`)];
}
