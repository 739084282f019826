// Reads the control plane's /status: which objects there are and how far each has come. Pure.

import { field, listOf, numberOf, parsedJson, textOf } from './json-fields.js';

/** How far an object has come. `refused` is final until somebody edits it. */
export type ObjectPhase = 'programmed' | 'refused' | 'pending';

/** One object of ours. */
export interface ObjectStatus {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly phase: ObjectPhase;
  /** `8/8`: proxies that run this generation of those that need it. */
  readonly proxies: string;
  /** Why it is not programmed, or not all of it. */
  readonly message: string;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

/** The objects of a /status answer; undefined if it is none. */
export function parseStatus(body: string): readonly ObjectStatus[] | undefined {
  const list = parsedJson(body);
  const items = field(list, 'items');
  return Array.isArray(items) ? items.map(statusOf) : undefined;
}

function statusOf(item: unknown): ObjectStatus {
  const metadata = field(item, 'metadata');
  const generation = numberOf(field(metadata, 'generation'));
  const groups = conditionGroups(field(item, 'status'));
  const phases = groups.map((conditions) => phaseOf(conditions, generation));
  return {
    kind: textOf(field(item, 'kind')),
    namespace: textOf(field(metadata, 'namespace')),
    name: textOf(field(metadata, 'name')),
    generation,
    phase: worst(phases),
    proxies: textOf(field(field(field(item, 'status'), 'applied'), 'proxies')),
    message: groups.flat().find(isTrouble)?.message ?? '',
  };
}

/** Ours have one list of conditions; Gateway API routes have one for each parent. */
function conditionGroups(status: unknown): readonly (readonly Condition[])[] {
  const parents = field(status, 'parents');
  const holders: readonly unknown[] = Array.isArray(parents) ? parents : [status];
  return holders.map((holder) => {
    const conditions = field(holder, 'conditions');
    return listOf(conditions).map(conditionOf);
  });
}

function conditionOf(value: unknown): Condition {
  return {
    type: textOf(field(value, 'type')),
    status: textOf(field(value, 'status')),
    reason: textOf(field(value, 'reason')),
    message: textOf(field(value, 'message')),
    observedGeneration: numberOf(field(value, 'observedGeneration')),
  };
}

function isTrouble(condition: Condition): boolean {
  if (condition.type === 'Accepted' || condition.type === 'Programmed' || condition.type === 'ResolvedRefs') {
    return condition.status === 'False';
  }
  return condition.type === 'PartiallyInvalid' && condition.status === 'True';
}

function phaseOf(conditions: readonly Condition[], generation: number): ObjectPhase {
  const current = conditions.filter((condition) => condition.observedGeneration >= generation);
  const statusOfType = (type: string): string | undefined =>
    current.find((condition) => condition.type === type)?.status;
  if (statusOfType('Accepted') === 'False' || statusOfType('Stalled') === 'True') return 'refused';
  const programmed = statusOfType('Programmed');
  if (programmed === 'True') return 'programmed';
  const final = programmed === 'False' && statusOfType('Reconciling') !== 'True';
  const reason = current.find((condition) => condition.type === 'Programmed')?.reason;
  return final && reason === 'RejectedByProxy' ? 'refused' : 'pending';
}

function worst(phases: readonly ObjectPhase[]): ObjectPhase {
  // No phases: a route whose parents all belong to somebody else.
  if (phases.includes('pending')) return 'pending';
  return phases.includes('refused') ? 'refused' : 'programmed';
}
