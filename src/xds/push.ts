// Responses, built once and shared by all streams that need the same one, and what becomes of a client's
// holdings by them.

import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { memoised } from '../lib/memo.js';
import type { NameTable } from './name-table.js';
import { withEntries, type Plan, type Protocol } from './plan.js';
import { anyOf, encodeResource, isWildcardType, typeUrlOfType, type EncodedResource } from './resources.js';
import { hasVersion, isCurrent, resourceIn, versionOfSet, type Held, type HeldEntry, type OwnHeld } from './view.js';
import { encodeDeltaResponse, encodeSotwResponse } from './wire.js';

/** One response, ready to be written. */
export interface Push {
  readonly nonce: string;
  /** About how many bytes the response has. */
  readonly size: number;
  /** The bytes. Made when they are about to leave: a response that waits, or is not answered yet, holds none. */
  readonly encode: () => Buffer;
  /** Names that the response tells something about, removals included. */
  readonly names: readonly string[];
  /** What it brings that is new to the client: the suspects when it is refused. */
  readonly resources: readonly EncodedResource[];
  /** What the client was sent of the shared view before the response, and with it. */
  readonly before: Held;
  readonly next: Held;
  /** The same of the stream's own resources; undefined in a response that has none of them, as shared ones have. */
  readonly own: { readonly before: OwnHeld; readonly next: OwnHeld } | undefined;
}

/** What goes into one response. */
export interface PushContent {
  readonly protocol: Protocol;
  readonly plan: Plan;
  readonly resources: readonly EncodedResource[];
  readonly absent: readonly number[];
  readonly removed: readonly number[];
  /** The same of the stream's own resources. */
  readonly own: {
    readonly held: OwnHeld;
    readonly resources: readonly EncodedResource[];
    readonly absent: readonly string[];
    readonly gone: readonly string[];
  };
  /** Last good versions of what the client refused: state of the world must go on listing them. */
  readonly priors: ReadonlyMap<string, EncodedResource>;
}

let pushes = 0;

/** Builds a response. Its nonce is unique in the process. */
export function buildPush(content: PushContent): Push {
  pushes++;
  const nonce = pushes.toString(36);
  const { plan, own } = content;
  const { view } = plan;
  const missing = [...content.absent.map((id) => view.names.nameOf(id)), ...own.absent];
  const empty = view.type === 'endpoint' ? missing.map(emptyEndpoints) : [];
  const gone = [
    ...(view.type === 'endpoint' ? [] : missing),
    ...content.removed.map((id) => view.names.nameOf(id)),
    ...own.gone,
  ];
  const resources = [...own.resources, ...content.resources];
  const next = nextHeld(content);
  const ownNext = nextOwn(content);
  const said = { nonce, typeUrl: typeUrlOfType[view.type] };
  const listed = [...resources, ...empty];
  const encode = (): Buffer =>
    content.protocol === 'delta'
      ? encodeDeltaResponse({ ...said, systemVersion: nonce, frames: framesOf(content, empty), removed: gone })
      : encodeListed(isWildcardType(view.type) ? fullSet(content, { next, ownNext }) : listed, said);
  const names = [...listed.map((one) => one.name), ...gone];
  return {
    nonce,
    size: listed.reduce((sum, one) => sum + one.frame.length, 0),
    encode,
    names,
    resources,
    before: plan.held,
    next,
    own: ownNext === own.held ? undefined : { before: own.held, next: ownNext },
  };
}

/** All resources of a plan in one piece: copied at once into each response that has something of its own besides. */
const framesOfAll = memoised((plan: Plan): Buffer => Buffer.concat(plan.changed.map((one) => one.frame)));

function framesOf({ plan, own, resources }: PushContent, empty: readonly EncodedResource[]): readonly Buffer[] {
  const frames = (all: readonly EncodedResource[]): readonly Buffer[] => all.map((one) => one.frame);
  const isAll = own.resources.length > 0 && resources.length > 1 && resources.length === plan.changed.length;
  return [...frames(own.resources), ...(isAll ? [framesOfAll(plan)] : frames(resources)), ...frames(empty)];
}

const encodeListed = (listed: readonly EncodedResource[], said: { nonce: string; typeUrl: string }): Buffer =>
  encodeSotwResponse({ ...said, version: versionOfSet(listed), anys: listed.map(anyOf) });

/** State of the world, listeners and clusters: all that the client is to have from now on; the rest it deletes. */
function fullSet(
  content: PushContent,
  after: { readonly next: Held; readonly ownNext: OwnHeld },
): readonly EncodedResource[] {
  const { names } = content.plan.view;
  const shared = after.next.flatMap((entry, id) => resourceIn(entry) ?? priorOf(content, entry, names.nameOf(id)));
  const own = [...after.ownNext].flatMap(([name, entry]) => resourceIn(entry) ?? priorOf(content, entry, name));
  return [...shared, ...own];
}

const priorOf = (content: PushContent, entry: HeldEntry | undefined, name: string): readonly EncodedResource[] => {
  const prior = entry === undefined || entry === 'absent' ? undefined : content.priors.get(name);
  return prior === undefined ? [] : [prior];
};

/** The holdings of a client that got all that a plan lacks, whatever of its own came with it. */
const heldAfterAll = memoised((plan: Plan): Held => heldAfter({ ...plan, plan, resources: plan.changed, removed: [] }));

function nextHeld(content: PushContent): Held {
  const { plan, resources, absent, removed } = content;
  if (resources.length + absent.length + removed.length === 0) return plan.held;
  const isAll =
    resources.length === plan.changed.length && absent.length === plan.absent.length && removed.length === 0;
  return isAll ? heldAfterAll(plan) : heldAfter(content);
}

function heldAfter({
  plan,
  resources,
  absent,
  removed,
}: Pick<PushContent, 'plan' | 'resources' | 'absent' | 'removed'>): Held {
  const { names } = plan.view;
  return withEntries(plan.held, [
    ...resources.map((one): [number, HeldEntry] => [names.idOf(one.name), one]),
    ...absent.map((id): [number, HeldEntry] => [id, 'absent']),
    ...removed.map((id): [number, HeldEntry] => [id, 'absent']),
  ]);
}

function nextOwn({ own }: PushContent): OwnHeld {
  if (own.resources.length + own.absent.length + own.gone.length === 0) return own.held;
  const next = new Map(own.held);
  for (const one of own.resources) next.set(one.name, one);
  for (const name of own.absent) next.set(name, 'absent');
  for (const name of own.gone) next.set(name, 'absent');
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

/** What many streams send is encoded by the first of them. */
function encodedOnce(push: Push): Push {
  let bytes: Buffer | undefined;
  return { ...push, encode: () => (bytes ??= push.encode()) };
}

/** `build`, or what an earlier stream with the same plan built under the same key. */
export function sharedPush(plan: Plan, key: string, build: () => Push): Push {
  const ofPlan = sharedPushes.get(plan) ?? new Map<string, Push>();
  sharedPushes.set(plan, ofPlan);
  const push = ofPlan.get(key) ?? encodedOnce(build());
  ofPlan.set(key, push);
  return push;
}

/** Names of which the client had no version before a response. */
export const addedByPush = memoised(
  (push: Push, names: NameTable): ReadonlySet<string> =>
    new Set(
      push.resources
        .filter((one) => !hasVersion(push.before[names.idOf(one.name)]) && !hasVersion(push.own?.before.get(one.name)))
        .map((one) => one.name),
    ),
);

/** The holdings after a response was refused: perhaps some of it was applied. What was sent later stays. */
export const heldAfterRefusal = memoised((held: Held, push: Push, names: NameTable): Held => {
  const doubted = push.resources
    .map((one) => ({ id: names.idOf(one.name), one }))
    .filter(({ id, one }) => isCurrent(held[id], one))
    .map(({ id }): [number, HeldEntry] => [id, hasVersion(push.before[id]) ? 'stale' : 'doubt']);
  return doubted.length === 0 ? held : withEntries(held, doubted);
});

/** The same of a stream's own resources. */
export function ownAfterRefusal(held: OwnHeld, push: Push): OwnHeld {
  const doubted = push.resources.filter((one) => isCurrent(held.get(one.name), one));
  if (doubted.length === 0) return held;
  const next = new Map(held);
  for (const { name } of doubted) next.set(name, hasVersion(push.own?.before.get(name)) ? 'stale' : 'doubt');
  return next;
}
