// Bundles to layers: encoded, with extensions laid over, and checked against Envoy's own rules. What breaks a rule is
// held back alone: an extension is left out of a resource before the resource is.

import type { ExtensionInForce } from '../model/mesh.js';
import { checkConstraints } from './constraints.js';
import { extended } from './extend.js';
import type { Guilt } from './quarantine.js';
import { codecOf, encodeResource, type EncodedResource, type Resource } from './resources.js';
import type { Bundle } from './translate.js';

/** Encoded resources, and those that break Envoy's own rules and are not sent. */
export interface Layer {
  readonly resources: readonly EncodedResource[];
  readonly guilty: readonly Guilt[];
}

/** Endpoints and scopes hold nothing that a user wrote but names, which Kubernetes has checked. */
const isChecked = ({ type }: Resource): boolean => type !== 'endpoint' && type !== 'scope';

function violationOf(resource: Resource): string | undefined {
  const [violation] = isChecked(resource) ? checkConstraints(codecOf[resource.type].$type, resource.message) : [];
  return violation === undefined ? undefined : `${violation.path} ${violation.message}`;
}

/** No extension: one object, so that what is made without any is made once. */
export const noExtensions: readonly ExtensionInForce[] = [];

/** A resource with those extensions that leave it valid, and what is held against the others. */
function withExtensions(resource: Resource, extensions: readonly ExtensionInForce[], guilty: Guilt[]): Resource {
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

/** Encodes what comes and goes together. */
export function encodeLayer(bundle: Bundle, extensions: readonly ExtensionInForce[] = noExtensions): Layer {
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
