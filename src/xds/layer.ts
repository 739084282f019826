// Encoded resources that come and go together, with extensions laid over, checked; and how they come out where some of
// their parts must not be sent. A part that breaks alone is left out alone; an extension is left out of a resource before
// the resource is.

import type { ExtensionInForce } from '../model/mesh.js';
import { checkConstraints } from './constraints.js';
import { extended } from './extend.js';
import type { Guilt } from './quarantine.js';
import { codecOf, encodeResource, type EncodedResource, type Part, type Resource } from './resources.js';
import type { Bundle } from './translate.js';

/** Encoded resources, and those that break Envoy's own rules and are not sent. */
export interface Layer {
  readonly resources: readonly EncodedResource[];
  readonly guilty: readonly Guilt[];
}

/** What is laid over resources, in this order. */
export type Extensions = readonly ExtensionInForce[];

/** No extension: one object, so that what is made without any is made once. */
export const noExtensions: Extensions = [];

/** Endpoints and scopes hold nothing that a user wrote but names, which Kubernetes has checked. */
const isChecked = ({ type }: Resource): boolean => type !== 'endpoint' && type !== 'scope';

function violationOf(resource: Resource): string | undefined {
  const [violation] = isChecked(resource) ? checkConstraints(codecOf[resource.type].$type, resource.message) : [];
  return violation === undefined ? undefined : `${violation.path} ${violation.message}`;
}

/** A resource with those extensions that leave it valid, and what is held against the others. */
function withExtensions(resource: Resource, extensions: Extensions, guilty: Guilt[]): Resource {
  const whole = extensions.reduce(extended, resource);
  if (whole === resource || violationOf(whole) === undefined) return whole;
  return extensions.reduce((good, extension) => {
    const next = extended(good, extension);
    const message = next === good ? undefined : violationOf(next);
    if (message === undefined) return next;
    guilty.push({ part: extension, resource: encodeResource(next), message });
    return good;
  }, resource);
}

/** Encodes and checks. */
export function encode(bundle: Bundle, extensions: Extensions): Layer {
  const guilty: Guilt[] = [];
  const resources: EncodedResource[] = [];
  for (const plain of bundle) {
    const resource = extensions.length === 0 ? plain : withExtensions(plain, extensions, guilty);
    const encoded = encodeResource(resource);
    const message = violationOf(resource);
    if (message === undefined) resources.push(encoded);
    else guilty.push({ part: undefined, resource: encoded, message });
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
  readonly extensions: Extensions;
}

/** Extensions that are held back leave what they would have changed whole. */
const isWhole = ({ guilty }: Layer): boolean => guilty.every(({ part }) => part !== undefined);

/** A layer without the parts that are withheld, nor those that could not be sent. */
export function encodeParts<P extends Part>(
  { parts, translate, isOne, extensions }: Divisible<P>,
  withheld: ReadonlyMap<Part, Part | undefined>,
): Layer {
  const broken = new Map<Part, Guilt>();
  const substitute = (part: P): P | undefined => {
    if (broken.has(part)) return undefined;
    if (!withheld.has(part)) return part;
    const good = withheld.get(part);
    return good === undefined || !isOne(good) ? undefined : good;
  };
  const all = encode(translate(substitute), extensions);
  if (isWhole(all)) return all;
  for (const part of parts()) {
    const alone = translate((one) => (one === part ? one : undefined));
    const found = encode(alone, noExtensions).guilty[0];
    if (found !== undefined) broken.set(part, { ...found, part });
  }
  const layer = encode(translate(substitute), extensions);
  return { resources: layer.resources, guilty: [...broken.values(), ...layer.guilty] };
}

/** A layer of which nothing is withheld; what is well as a whole is not looked into. */
export function encodeAll<P extends Part>(whole: Bundle, divisible: Divisible<P>): Layer {
  const layer = encode(whole, divisible.extensions);
  return isWhole(layer) ? layer : encodeParts(divisible, new Map());
}

/** Whether any of the parts is withheld. */
export const isConcerned = (parts: readonly Part[], withheld: ReadonlyMap<Part, unknown>): boolean =>
  withheld.size > 0 && parts.some((part) => withheld.has(part));
