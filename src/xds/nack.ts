// What Envoy says when it refuses a response, and whom it means. Pure. Envoy names culprits only for
// semantic errors of listeners and clusters; other texts hold at best a dump of the resource.

import type { EncodedResource } from './resources.js';

/** A refused resource with the part of the text that is about it. */
export interface Culprit {
  readonly resource: EncodedResource;
  readonly message: string;
}

const namedPrefix = /^Error adding\/updating (?:listener|cluster)\(s\) /;

/** The text without the marker, random in every process, that begins Envoy's dumps. */
export const normaliseNack = (text: string): string => text.replace(/goo\.gle\/debug\w+\s+/g, '');

/** Whether all but the named was applied: Envoy tries each cluster or listener, and tells in the end which of them failed. */
export const isRestApplied = (text: string): boolean => namedPrefix.test(normaliseNack(text));

/** Cuts a text to what a status may hold. */
export const quoteNack = (text: string): string => {
  const line = normaliseNack(text).replace(/\s+/g, ' ').trim();
  return line.length <= 256 ? line : `${line.slice(0, 255)}…`;
};

/** Where in the text an entry `NAME: …` begins, for each resource that has one. */
function entriesOf(
  text: string,
  resources: readonly EncodedResource[],
): readonly { at: number; resource: EncodedResource }[] {
  return resources
    .map((resource) => ({ at: startOfEntry(text, resource.name), resource }))
    .filter((entry) => entry.at >= 0)
    .sort((left, right) => left.at - right.at);
}

function startOfEntry(text: string, name: string): number {
  const start = `${name}: `;
  if (text.startsWith(start)) return 0;
  const starts = [`\n${start}`, `, ${start}`].map((pattern) => text.indexOf(pattern)).filter((at) => at >= 0);
  const first = Math.min(...starts);
  return Number.isFinite(first) ? first : -1;
}

function namedInDump(text: string, resources: readonly EncodedResource[]): readonly Culprit[] {
  const match = /^(?:name|cluster_name): "([^"]*)"/m.exec(text) ?? / in route (\S+)/.exec(text);
  return resources.filter((one) => one.name === match?.[1]).map((resource) => ({ resource, message: text }));
}

/** The resources of a refused response that are certainly to blame; empty when the text does not tell. */
export function culpritsOf(message: string, resources: readonly EncodedResource[]): readonly Culprit[] {
  const text = normaliseNack(message);
  const [only] = resources;
  if (resources.length === 1 && only !== undefined) return [{ resource: only, message: text }];
  const prefix = namedPrefix.exec(text)?.[0];
  if (prefix === undefined) return namedInDump(text, resources);
  const body = text.slice(prefix.length);
  const entries = entriesOf(body, resources);
  return entries.map((entry, index) => ({
    resource: entry.resource,
    message: body
      .slice(entry.at, entries[index + 1]?.at)
      .replace(/^[\n, ]+/, '')
      .trim(),
  }));
}
