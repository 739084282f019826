// What a version of Envoy refused, and what it gets instead. Pure: (state, event) → state. A refused resource
// that several owners share is taken apart: what changed since the last good version is withheld as a whole
// and given back group by group, until the culprit stands alone. Refused content is never tried again on
// that version; changed content is a new object, and is.

import type { EncodedResource, Part } from './resources.js';

/** Some of the parts of a refused resource. */
interface Group {
  readonly parts: readonly Part[];
  /** It holds a culprit if the group that is tried before it holds none. */
  readonly decided: boolean;
}

/** How a refused resource is being taken apart. */
interface Trial {
  /** The parts that were given back and await an answer. */
  readonly current: readonly Part[];
  readonly waiting: readonly Group[];
  /** Parts that were accepted on trial. */
  readonly cleared: readonly Part[];
  /** The refusal that is being explained. */
  readonly refused: Refused;
}

/** A refusal with its culprit. */
export interface Guilt {
  readonly part: Part | undefined;
  readonly resource: EncodedResource;
  readonly message: string;
}

/** What one version of Envoy refused. */
export interface Quarantine {
  /** Refused resources by version, with what is served instead. */
  readonly resources: ReadonlyMap<string, EncodedResource | undefined>;
  /** Withheld parts, with the last good version of each. */
  readonly parts: ReadonlyMap<Part, Part | undefined>;
  readonly trials: ReadonlyMap<string, Trial>;
  readonly guilty: readonly Guilt[];
}

export const nothingRefused: Quarantine = { resources: new Map(), parts: new Map(), trials: new Map(), guilty: [] };

const keyOf = (resource: EncodedResource): string => `${resource.type} ${resource.name}`;

const samePlace = (left: Part, right: Part): boolean =>
  left.origin.part === right.origin.part &&
  left.origin.ref.kind === right.origin.ref.kind &&
  left.origin.ref.namespace === right.origin.ref.namespace &&
  left.origin.ref.name === right.origin.ref.name;

/** A refusal of `resource`; `good` is what was served before it, if anything. */
export interface Refused {
  readonly resource: EncodedResource;
  readonly good: EncodedResource | undefined;
  readonly message: string;
}

/** Takes note of a refusal: what is new in the resource is suspect. */
export function onRefused(state: Quarantine, refused: Refused): Quarantine {
  const { resource, good, message } = refused;
  if (state.resources.has(resource.version)) return state;
  const trial = state.trials.get(keyOf(resource));
  const cleared = trial?.cleared ?? [];
  const innocent = new Set([...(good?.parts ?? []), ...cleared]);
  const suspects = resource.parts.filter((part) => !innocent.has(part));
  const resources = new Map(state.resources).set(resource.version, good);
  if (suspects.length === 0) {
    return { ...state, resources, guilty: [...state.guilty, { part: undefined, resource, message }] };
  }
  const parts = new Map(state.parts);
  for (const suspect of suspects) parts.set(suspect, lastGood(good, suspect));
  const rest = { waiting: undecided(trial?.waiting ?? []), cleared, refused };
  return narrow({ ...state, resources, parts }, suspects, rest);
}

const lastGood = (good: EncodedResource | undefined, part: Part): Part | undefined =>
  good?.parts.find((one) => samePlace(one, part));

const undecided = (groups: readonly Group[]): readonly Group[] => groups.map((group) => ({ ...group, decided: false }));

type Rest = Omit<Trial, 'current'>;

/** There is a culprit among the suspects, all of which are withheld: it is found, or half of them are tried. */
function narrow(state: Quarantine, suspects: readonly Part[], rest: Rest): Quarantine {
  const { resource, message } = rest.refused;
  const [only] = suspects;
  if (suspects.length === 1 && only !== undefined) {
    return tryNext({ ...state, guilty: [...state.guilty, { part: only, resource, message }] }, rest);
  }
  const [first, second] = divided(suspects, message);
  const groups = [
    { parts: first, decided: false },
    { parts: second, decided: true },
  ];
  return tryNext(state, { ...rest, waiting: [...groups, ...rest.waiting] });
}

/** What Envoy quotes, and what follows the last colon. */
function quotedIn(message: string): readonly string[] {
  const quoted = Array.from(message.matchAll(/'([^']{3,})'|"([^"]{3,})"/g), (match) => match[1] ?? match[2] ?? '');
  const tail = /: ([^:]{3,})$/.exec(message)?.[1];
  return tail === undefined ? quoted : [...quoted, tail];
}

/**
 * Two groups, of which the first is tried. Where the message quotes some of the parts, all others are: most likely they
 * are accepted at once, and nobody misses a rule meanwhile whose last good version is not known. Else it is one half.
 */
function divided(suspects: readonly Part[], message: string): readonly [readonly Part[], readonly Part[]] {
  const quotes = quotedIn(message).map((quote) => JSON.stringify(quote).slice(1, -1));
  const isQuoted = (part: Part): boolean => {
    const text = JSON.stringify(part);
    return quotes.some((quote) => text.includes(quote));
  };
  const [named, others] = [suspects.filter(isQuoted), suspects.filter((part) => !isQuoted(part))];
  if (named.length > 0 && others.length > 0) return [others, named];
  const middle = Math.ceil(suspects.length / 2);
  return [suspects.slice(0, middle), suspects.slice(middle)];
}

/** Gives back the first of the groups that wait. */
function tryNext(state: Quarantine, rest: Rest): Quarantine {
  const [group, ...waiting] = rest.waiting.filter((one) => one.parts.length > 0);
  const trials = new Map(state.trials);
  const parts = new Map(state.parts);
  if (group === undefined) trials.delete(keyOf(rest.refused.resource));
  else trials.set(keyOf(rest.refused.resource), { ...rest, current: group.parts, waiting });
  for (const part of group?.parts ?? []) parts.delete(part);
  return { ...state, parts, trials };
}

/** A resource as a proxy holds it. */
export type Holds = (key: {
  readonly type: EncodedResource['type'];
  readonly name: string;
}) => EncodedResource | undefined;

/** Whether a resource that a proxy holds is being taken apart. */
export const isTrying = (state: Quarantine, holds: Holds): boolean =>
  [...state.trials.values()].some(({ refused }) => holds(refused.resource) !== undefined);

/**
 * A proxy accepted what it was served: the trials that it took part in, or all, go on. The same object when there is
 * none. Where one half of a refused group is accepted the other holds the culprit: to try it whole would be to send
 * refused bytes.
 */
export function onAccepted(state: Quarantine, holds?: Holds): Quarantine {
  let next = state;
  for (const trial of state.trials.values()) {
    const { current, waiting, refused } = trial;
    if (holds !== undefined && !holdsAll(holds(refused.resource), current)) continue;
    const rest = { refused, waiting, cleared: [...trial.cleared, ...current] };
    const [first, ...others] = waiting;
    next = first?.decided === true ? narrow(next, first.parts, { ...rest, waiting: others }) : tryNext(next, rest);
  }
  return next;
}

const holdsAll = (held: EncodedResource | undefined, parts: readonly Part[]): boolean =>
  held !== undefined && parts.every((part) => held.parts.includes(part));

/** Forgets what no longer exists: changed content is tried anew, also where it comes out as the same bytes. */
export function forgetGone(
  state: Quarantine,
  alive: { readonly parts: ReadonlySet<Part>; readonly versions: ReadonlySet<string> },
): Quarantine {
  const guilty = state.guilty.filter(({ part, resource }) =>
    part === undefined ? alive.versions.has(resource.version) : alive.parts.has(part),
  );
  const parts = new Map([...state.parts].filter(([part]) => alive.parts.has(part)));
  const isWhole = [...state.trials.values()].every(({ current, waiting }) =>
    [...current, ...waiting.flatMap((group) => group.parts)].every((part) => alive.parts.has(part)),
  );
  if (isWhole && guilty.length === state.guilty.length && parts.size === state.parts.size) return state;
  const whole = new Set(guilty.flatMap(({ part, resource }) => (part === undefined ? [resource.version] : [])));
  const resources = new Map([...state.resources].filter(([version]) => whole.has(version)));
  const living = (some: readonly Part[]): readonly Part[] => some.filter((part) => alive.parts.has(part));
  const trials = new Map(
    [...state.trials].map(([key, trial]): [string, Trial] => [
      key,
      {
        ...trial,
        current: living(trial.current),
        waiting: undecided(trial.waiting.map((group) => ({ ...group, parts: living(group.parts) }))),
      },
    ]),
  );
  return { ...state, resources, guilty, parts, trials };
}
