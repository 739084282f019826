// Short objects for the tests of sources.

import type { ObjectMeta } from '../../../src/api/meta.js';
import type { EndpointSlice, Labelled, Malformed, WorldObject } from '../../../src/kinds/world.js';
import { readObject } from '../../../src/sources/parse-object.js';
import type { Reading } from '../../../src/sources/parse-object.js';
import type { Workload } from '../../../src/sources/reduce-pod.js';
import type { Parsed } from '../../../src/sources/store.js';

/** Meta of an object in namespace `shop`. */
export const metaOf = (name: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  namespace: 'shop',
  labels: {},
  annotations: {},
  generation: 0,
  ...more,
});

/** A ServiceAccount: the smallest object there is. */
export const account = (name: string, more: Partial<ObjectMeta> = {}): Labelled<'ServiceAccount'> => ({
  kind: 'ServiceAccount',
  meta: metaOf(name, more),
});

/** A slice of `service` with one endpoint. */
export const slice = (name: string, service: string, address = '10.0.0.1'): EndpointSlice => ({
  kind: 'EndpointSlice',
  meta: metaOf(name),
  service: `shop/${service}`,
  addressType: 'IPv4',
  ports: [{ name: '', port: 80 }],
  endpoints: [{ address, ready: true, serving: true, terminating: false }],
});

/** A good object, as a source gives it. */
export const good = (object: WorldObject): Parsed => ({ ok: true, object });

/** A malformed TrafficRoute. */
export const bad = (name: string, fingerprint: string, more: Partial<Malformed> = {}): Parsed => ({
  ok: false,
  malformed: {
    ref: { kind: 'ServiceAccount', namespace: 'shop', name },
    generation: 0,
    problems: [{ path: 'spec', reason: 'Invalid', message: 'wrong' }],
    lastGood: false,
    ...more,
  },
  fingerprint,
});

/** Reads a raw object as one of a folder. */
export const read = (raw: unknown): Reading => readObject(raw, { folder: true });

/** The object that `raw` reads as; throws where it is none. */
export function objectOf(raw: unknown, folder = true): WorldObject {
  const reading = readObject(raw, { folder });
  if (reading.kind === 'object' && reading.parsed.ok) return reading.parsed.object;
  throw new Error(`not an object: ${JSON.stringify(reading)}`);
}

/** Objects and workloads of a folder that holds `raws`. */
export function folderOf(raws: readonly unknown[]): { objects: WorldObject[]; workloads: Workload[] } {
  const objects: WorldObject[] = [];
  const workloads: Workload[] = [];
  for (const reading of raws.map(read)) {
    if (reading.kind === 'workload') workloads.push(reading.workload);
    else if (reading.kind === 'object' && reading.parsed.ok) objects.push(reading.parsed.object);
  }
  return { objects, workloads };
}
