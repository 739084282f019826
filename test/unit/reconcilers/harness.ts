// Worlds for the tests of reconcilers: raw objects, as a folder would hold them.

import { readObject } from '../../../src/sources/parse-object.js';
import { expand } from '../../../src/sources/expand.js';
import { createStore, type Feed, type Parsed } from '../../../src/sources/store.js';
import type { WorldObject, World } from '../../../src/kinds/world.js';

/** A raw object, as YAML would give it. */
export type Raw = Readonly<Record<string, unknown>>;

function parsedOf(raw: Raw): Parsed {
  const reading = readObject(raw, { folder: true });
  if (reading.kind !== 'object') throw new Error(`not an object of the World: ${JSON.stringify(reading)}`);
  return reading.parsed;
}

/** Raw objects with what a cluster would have added; malformed ones as they are. */
export function parsedOfAll(raws: readonly Raw[]): readonly Parsed[] {
  const all = raws.map(parsedOf);
  const good: WorldObject[] = all.flatMap((one) => (one.ok ? [one.object] : []));
  const expanded = expand({ objects: good, workloads: [] }).objects.map((object): Parsed => ({ ok: true, object }));
  return [...expanded, ...all.filter((one) => !one.ok)];
}

/** A World that can be replaced; what is equal keeps its identity. */
export function createWorlds(): { replace(objects: readonly Parsed[]): World } {
  const store = createStore();
  const feed: Feed = store.feed();
  return {
    replace(objects) {
      feed({ kind: 'init' });
      for (const object of objects) feed({ kind: 'initApply', object });
      feed({ kind: 'initDone' });
      return store.world();
    },
  };
}

export const service = (name: string, spec: Raw = {}, namespace = 'shop'): Raw => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
});

export const pod = (name: string, labels: Readonly<Record<string, string>>, more: Raw = {}): Raw => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
  ...more,
});

export const route = (name: string, rules: readonly Raw[], more: Raw = {}): Raw => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'TrafficRoute',
  metadata: { name, namespace: 'shop' },
  spec: { parentRefs: [{ name: 'web' }], rules, ...more },
});
