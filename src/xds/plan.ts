// The difference between what a client holds and what it should have, and the responses that close it.
// Pure, and memoised by the identity of its arguments: a thousand streams in the same state share one
// computation and one encoded response.

import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { memoised } from '../lib/memo.js';
import { isOwnName } from './names.js';
import { anyOf, encodeResource, isWildcardType, typeUrlOfType, type EncodedResource } from './resources.js';
import { toldAbsent, versionOfSet, wants, type Held, type Subscription, type TypeView } from './view.js';
import { encodeDeltaResponse, encodeSotwResponse } from './wire.js';

export type Protocol = 'delta' | 'sotw';

/** What is missing at a client. */
export interface Plan {
  readonly view: TypeView;
  readonly held: Held;
  readonly changed: readonly EncodedResource[];
  /** Ids of names that the client asked for and nobody serves. */
  readonly absent: readonly number[];
  /** Ids of names that the client holds and that are gone. */
  readonly removed: readonly number[];
}

/** One response, ready to be written. */
export interface Push {
  readonly nonce: string;
  readonly bytes: Buffer;
  /** Names in the response, removals included. */
  readonly names: readonly string[];
  readonly resources: readonly EncodedResource[];
  /** What the client holds of the shared view once it has processed the response. */
  readonly next: Held;
}

/** What a client lacks. Endpoints that are gone stay: they leave with their clusters. */
export const planFor = memoised((view: TypeView, held: Held, subscription: Subscription): Plan => {
  const changed: EncodedResource[] = [];
  const absent: number[] = [];
  const removed: number[] = [];
  const end = Math.max(view.resources.length, held.length, subscription.ids.length);
  for (let id = 0; id < end; id++) {
    if (!wants(subscription, id)) continue;
    const resource = view.resources[id];
    const version = held[id];
    if (resource !== undefined) {
      if (version !== resource.version) changed.push(resource);
    } else if (version === undefined) {
      if (subscription.ids[id] === 1 && !isOwnName(view.names.nameOf(id))) absent.push(id);
    } else if (version !== toldAbsent && view.type !== 'endpoint') removed.push(id);
  }
  return { view, held, changed, absent, removed };
});

/** All resources that a client with this subscription should have. */
export const wantedOf = memoised((view: TypeView, subscription: Subscription): readonly EncodedResource[] =>
  view.resources.filter(
    (resource, id): resource is EncodedResource => resource !== undefined && wants(subscription, id),
  ),
);

/** What a client holds that has everything it wants. */
export const heldWhenCurrent = memoised((view: TypeView, subscription: Subscription): Held =>
  view.resources.map((resource, id) => (wants(subscription, id) ? resource?.version : undefined)),
);

/** What goes into one response. */
export interface PushContent {
  readonly protocol: Protocol;
  readonly plan: Plan;
  readonly resources: readonly EncodedResource[];
  readonly absent: readonly number[];
  readonly removed: readonly number[];
  /** Resources of this stream alone; they are not part of `next`. */
  readonly own: readonly EncodedResource[];
  /** Own resources that are gone. */
  readonly goneNames?: readonly string[];
  /** State of the world: everything the response must list, and the version that stands for it. */
  readonly full?: readonly EncodedResource[] | undefined;
}

let pushes = 0;

/** Builds a response. Its nonce is unique in the process. */
export function buildPush(content: PushContent): Push {
  pushes++;
  const nonce = pushes.toString(36);
  const { view } = content.plan;
  const empty = view.type === 'endpoint' ? content.absent.map((id) => emptyEndpoints(view.names.nameOf(id))) : [];
  const gone = view.type === 'endpoint' ? content.removed : [...content.absent, ...content.removed];
  const removed = [...gone.map((id) => view.names.nameOf(id)), ...(content.goneNames ?? [])];
  const resources = [...content.resources, ...empty, ...content.own];
  const typeUrl = typeUrlOfType[view.type];
  const bytes =
    content.protocol === 'delta'
      ? encodeDeltaResponse({ systemVersion: nonce, frames: resources.map((one) => one.frame), typeUrl, nonce, removed })
      : encodeFull(content, { resources, typeUrl, nonce });
  return { nonce, bytes, names: [...resources.map((one) => one.name), ...removed], resources, next: nextHeld(content) };
}

function encodeFull(
  content: PushContent,
  response: { resources: readonly EncodedResource[]; typeUrl: string; nonce: string },
): Buffer {
  const listed = isWildcardType(content.plan.view.type) ? (content.full ?? response.resources) : response.resources;
  return encodeSotwResponse({
    version: versionOfSet(content.full ?? listed),
    anys: listed.map(anyOf),
    typeUrl: response.typeUrl,
    nonce: response.nonce,
  });
}

function nextHeld(content: PushContent): Held {
  const { names } = content.plan.view;
  const next = [...content.plan.held];
  const set = (id: number, version: string | undefined): void => {
    while (next.length <= id) next.push(undefined);
    next[id] = version;
  };
  for (const resource of content.resources) set(names.idOf(resource.name), resource.version);
  for (const id of content.absent) set(id, toldAbsent);
  for (const id of content.removed) set(id, undefined);
  return next;
}

/** A cluster without endpoints answers 503 at once; one whose endpoints never come holds its proxy up. */
const emptyEndpoints = (name: string): EncodedResource =>
  encodeResource({
    type: 'endpoint',
    name,
    message: ClusterLoadAssignment.fromPartial({ clusterName: name }),
    origins: [],
  });

const sharedPushes = new WeakMap<Plan, Map<string, Push>>();

/** The response with the first `limit` resources of a plan, shared by all streams with that plan. */
export function sharedPush(plan: Plan, options: { protocol: Protocol; limit: number; full?: readonly EncodedResource[] }): Push {
  const key = `${options.protocol}/${String(options.limit)}`;
  let ofPlan = sharedPushes.get(plan);
  if (ofPlan === undefined) sharedPushes.set(plan, (ofPlan = new Map()));
  const known = ofPlan.get(key);
  if (known !== undefined) return known;
  const resources = plan.changed.slice(0, options.limit);
  const push = buildPush({
    protocol: options.protocol,
    plan,
    resources,
    absent: plan.absent,
    removed: [],
    own: [],
    full: options.full,
  });
  ofPlan.set(key, push);
  return push;
}
