// Encoded resources that come and go together, checked; and how they come out where some of their parts must not be
// sent: rules of routes, members of policies. A part that breaks alone is left out alone.

import { checkConstraints } from './constraints.js';
import type { Guilt } from './quarantine.js';
import { codecOf, encodeResource, type EncodedResource, type Part, type Resource } from './resources.js';
import type { Bundle } from './translate.js';

/** Encoded resources, and those that break Envoy's own rules and are not sent. */
export interface Layer {
  readonly resources: readonly EncodedResource[];
  readonly guilty: readonly Guilt[];
}

/** Endpoints and scopes hold nothing that a user wrote but names, which Kubernetes has checked. */
const isChecked = ({ type }: Resource): boolean => type !== 'endpoint' && type !== 'scope';

/** Encodes and checks. */
export function encode(bundle: Bundle): Layer {
  const guilty: Guilt[] = [];
  const resources: EncodedResource[] = [];
  for (const resource of bundle) {
    const encoded = encodeResource(resource);
    const [violation] = isChecked(resource) ? checkConstraints(codecOf[resource.type].$type, resource.message) : [];
    if (violation === undefined) resources.push(encoded);
    else guilty.push({ part: undefined, resource: encoded, message: `${violation.path} ${violation.message}` });
  }
  return { resources, guilty };
}

/** Something that is translated part by part. */
export interface Divisible<P extends Part> {
  /** Asked for only where something must not be sent. */
  readonly parts: () => readonly P[];
  /** `substitute` says what stands in for a part: itself, its last good version, or nothing. */
  readonly translate: (substitute: (part: P) => P | undefined) => Bundle;
  readonly isOne: (part: Part) => part is P;
}

/** A layer without the parts that are withheld, nor those that could not be sent. */
export function encodeParts<P extends Part>(
  { parts, translate, isOne }: Divisible<P>,
  withheld: ReadonlyMap<Part, Part | undefined>,
): Layer {
  const broken = new Map<Part, Guilt>();
  const substitute = (part: P): P | undefined => {
    if (broken.has(part)) return undefined;
    if (!withheld.has(part)) return part;
    const good = withheld.get(part);
    return good === undefined || !isOne(good) ? undefined : good;
  };
  const all = encode(translate(substitute));
  if (all.guilty.length === 0) return all;
  for (const part of parts()) {
    const found = encode(translate((one) => (one === part ? one : undefined))).guilty[0];
    if (found !== undefined) broken.set(part, { ...found, part });
  }
  const layer = encode(translate(substitute));
  return { resources: layer.resources, guilty: [...broken.values(), ...layer.guilty] };
}

/** A layer of which nothing is withheld; what is well as a whole is not looked into. */
export function encodeAll<P extends Part>(whole: Bundle, divisible: Divisible<P>): Layer {
  const layer = encode(whole);
  return layer.guilty.length === 0 ? layer : encodeParts(divisible, new Map());
}

/** Whether any of the parts is withheld. */
export const isConcerned = (parts: readonly Part[], withheld: ReadonlyMap<Part, unknown>): boolean =>
  withheld.size > 0 && parts.some((part) => withheld.has(part));
