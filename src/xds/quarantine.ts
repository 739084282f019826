// What a version of Envoy refused, and what it gets instead. Pure: (state, event) → state. A refused resource
// that several owners share is taken apart: what changed since the last good version is withheld as a whole
// and given back group by group, until the culprit stands alone. Refused content is never tried again on
// that version; changed content is a new object, and is.

import type { EncodedResource, Part } from './resources.js';

/** How a refused resource is being taken apart. */
interface Trial {
  /** The parts that are in it on trial, and those that wait for theirs. */
  readonly current: readonly Part[];
  readonly waiting: readonly (readonly Part[])[];
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

/** Takes note of a refusal. */
export function onRefused(state: Quarantine, refused: Refused): Quarantine {
  const { resource } = refused;
  if (state.resources.has(resource.version)) return state;
  const trial = state.trials.get(keyOf(resource));
  if (trial !== undefined) return onTrialRefused(state, trial, refused);
  const suspects = resource.parts.filter((part) => refused.good?.parts.includes(part) !== true);
  const withGood = { ...state, resources: new Map(state.resources).set(resource.version, refused.good) };
  const [only] = suspects;
  if (only === undefined) return { ...withGood, guilty: [...state.guilty, { part: undefined, resource, message: refused.message }] };
  if (suspects.length === 1) return convict(withGood, only, refused);
  const parts = new Map(state.parts);
  for (const suspect of suspects) parts.set(suspect, lastGood(refused.good, suspect));
  return { ...withGood, parts, trials: new Map(state.trials).set(keyOf(resource), { current: [], waiting: halves(suspects) }) };
}

const lastGood = (good: EncodedResource | undefined, part: Part): Part | undefined =>
  good?.parts.find((one) => samePlace(one, part));

const halves = (parts: readonly Part[]): readonly (readonly Part[])[] => {
  const middle = Math.ceil(parts.length / 2);
  return [parts.slice(0, middle), parts.slice(middle)].filter((half) => half.length > 0);
};

function convict(state: Quarantine, part: Part, refused: Refused): Quarantine {
  return {
    ...state,
    parts: new Map(state.parts).set(part, state.parts.get(part) ?? lastGood(refused.good, part)),
    guilty: [...state.guilty, { part, resource: refused.resource, message: refused.message }],
  };
}

function onTrialRefused(state: Quarantine, trial: Trial, refused: Refused): Quarantine {
  const known = { ...state, resources: new Map(state.resources).set(refused.resource.version, refused.good) };
  const [only] = trial.current;
  // Nothing is on trial: what was served before is refused, too. It stays out as a whole.
  if (only === undefined) return known;
  const parts = new Map(state.parts);
  for (const part of trial.current) if (!parts.has(part)) parts.set(part, lastGood(refused.good, part));
  const withheld = { ...known, parts };
  if (trial.current.length === 1) {
    return setTrial(convict(withheld, only, refused), keyOf(refused.resource), { current: [], waiting: trial.waiting });
  }
  return setTrial(withheld, keyOf(refused.resource), { current: [], waiting: [...halves(trial.current), ...trial.waiting] });
}

function setTrial(state: Quarantine, key: string, trial: Trial): Quarantine {
  const trials = new Map(state.trials);
  if (trial.current.length === 0 && trial.waiting.length === 0) trials.delete(key);
  else trials.set(key, trial);
  return { ...state, trials };
}

/** Everything served was accepted: each trial gives back its next group. The same object when there is none. */
export function onAccepted(state: Quarantine): Quarantine {
  if (state.trials.size === 0) return state;
  const parts = new Map(state.parts);
  let next: Quarantine = { ...state, parts };
  for (const [key, trial] of state.trials) {
    const [group, ...waiting] = trial.waiting;
    for (const part of group ?? []) parts.delete(part);
    next = setTrial(next, key, { current: group ?? [], waiting });
  }
  return next;
}

/** Forgets what no longer exists: changed content is tried anew. */
export function forgetGone(state: Quarantine, alive: { readonly parts: ReadonlySet<Part>; readonly versions: ReadonlySet<string> }): Quarantine {
  const guilty = state.guilty.filter(({ part, resource }) => (part === undefined ? alive.versions.has(resource.version) : alive.parts.has(part)));
  const parts = new Map([...state.parts].filter(([part]) => alive.parts.has(part)));
  if (guilty.length === state.guilty.length && parts.size === state.parts.size) return state;
  const trials = new Map(
    [...state.trials].map(([key, trial]): [string, Trial] => [
      key,
      { current: trial.current.filter((part) => alive.parts.has(part)), waiting: trial.waiting.map((group) => group.filter((part) => alive.parts.has(part))) },
    ]),
  );
  return { ...state, guilty, parts, trials };
}
