// Conditions, deliveries and what policies say to the status of each object, as Kubernetes shows it. Pure.

import { setCondition, type Condition } from '../api/conditions.js';
import { controllerName, idOf } from '../api/meta.js';
import type { Rejection } from '../model/delivery.js';
import type { Finding } from '../model/finding.js';
import type { ParentReference, PolicySummary } from './policy-status.js';
import { conditionsOf, pick, type ConditionInputs } from './status-conditions.js';

/** What an object is attached to; `index` is its place in the spec, undefined where nothing is written. */
export interface Attached {
  readonly index: number | undefined;
  readonly reference: ParentReference;
}

/** Everything that the status of one object is made from. */
export interface StatusInputs extends ConditionInputs {
  readonly parents: readonly Attached[];
  readonly effective: string | undefined;
  /** Of a route: who touches it. */
  readonly policies: readonly string[];
  /** Of a policy. */
  readonly summary: PolicySummary | undefined;
}

/** Status as it is shown, `status` of the object. */
export interface ObjectStatus {
  readonly ancestors?: readonly {
    readonly ancestorRef: ParentReference;
    readonly controllerName: string;
    readonly conditions: readonly Condition[];
  }[];
  readonly applied?: {
    readonly proxies: string;
    readonly rejected: number;
    readonly pending: number;
    readonly revision: string;
  };
  readonly blocks?: readonly string[];
  readonly conditions: readonly Condition[];
  readonly effective?: string;
  readonly observedGeneration: number;
  readonly parents?: readonly {
    readonly parentRef: ParentReference;
    readonly controllerName: string;
    readonly conditions: readonly Condition[];
  }[];
  readonly policies?: readonly string[];
  readonly rejections?: readonly {
    readonly rule?: string;
    readonly resource: string;
    readonly message: string;
    readonly envoy?: string;
  }[];
  readonly selected?: PolicySummary['selected'];
}

/** The conditions of an object as they are where it is attached. */
function conditionsAt(
  { index }: Attached,
  conditions: readonly Condition[],
  { findings }: StatusInputs,
): readonly Condition[] {
  const own = findings.find((one) => one.parent !== undefined && one.parent === index && one.condition === 'Accepted');
  return conditions
    .filter(({ type }) => type === 'Accepted' || type === 'ResolvedRefs' || type === 'Programmed')
    .map((condition) =>
      condition.type === 'Accepted' && own !== undefined ? { ...condition, ...pick(own) } : condition,
    );
}

const parentsOf = (inputs: StatusInputs, conditions: readonly Condition[]): Pick<ObjectStatus, 'parents'> =>
  inputs.parents.length === 0
    ? {}
    : {
        parents: inputs.parents.map((parent) => ({
          parentRef: parent.reference,
          controllerName,
          conditions: conditionsAt(parent, conditions, inputs),
        })),
      };

/** What only the status of a policy has. */
function summaryOf(
  inputs: StatusInputs,
  conditions: readonly Condition[],
): Pick<ObjectStatus, 'ancestors' | 'blocks' | 'selected'> {
  const { summary } = inputs;
  if (summary === undefined) return {};
  const { ancestors, blocks, selected } = summary;
  return {
    ancestors: ancestors.map((ancestor) => ({
      ancestorRef: ancestor.reference,
      controllerName,
      conditions: conditionsAt(ancestor, conditions, inputs),
    })),
    blocks,
    ...(selected === undefined ? {} : { selected }),
  };
}

function rejectionLines(rejections: readonly Rejection[]): NonNullable<ObjectStatus['rejections']> {
  return rejections.slice(0, 5).map((rejection) => ({
    ...(rejection.origin.part === undefined ? {} : { rule: rejection.origin.part }),
    resource: rejection.resource,
    message: rejection.message,
    ...(rejection.envoy === '' ? {} : { envoy: rejection.envoy }),
  }));
}

function appliedOf({ delivery, rejections, revision }: StatusInputs): Pick<ObjectStatus, 'applied'> {
  if (delivery === undefined) return {};
  const { acknowledged, total } = delivery;
  const proxies = `${String(acknowledged)}/${String(total)}`;
  return { applied: { proxies, rejected: rejections.length, pending: total - acknowledged, revision } };
}

/** The status of an object; times of conditions that did not flip are those of `previous`. */
export function statusOf(inputs: StatusInputs, previous: ObjectStatus | undefined, now: string): ObjectStatus {
  const drafts = conditionsOf(inputs);
  const kept = (previous?.conditions ?? []).filter((one) => drafts.some((next) => next.type === one.type));
  const conditions = drafts.reduce<readonly Condition[]>((all, draft) => setCondition(all, draft, now), kept);
  return {
    ...appliedOf(inputs),
    conditions,
    ...(inputs.effective === undefined ? {} : { effective: inputs.effective }),
    observedGeneration: inputs.generation,
    ...parentsOf(inputs, conditions),
    ...(inputs.policies.length === 0 ? {} : { policies: inputs.policies }),
    ...(inputs.rejections.length === 0 ? {} : { rejections: rejectionLines(inputs.rejections) }),
    ...summaryOf(inputs, conditions),
  };
}

/** Findings by object. */
export function byObject(findings: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const map = new Map<string, Finding[]>();
  for (const finding of findings) {
    const id = idOf(finding.ref);
    const list = map.get(id) ?? [];
    list.push(finding);
    map.set(id, list);
  }
  return map;
}
