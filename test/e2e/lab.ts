// One lab in network namespaces for all tests of an Envoy version, and for each test a view of it. The pods are those of
// test/netns/mesh.ts; what tests write, policies and routes, stands in one file that is gone when the test is.

import { conditionOf, type RealEnvoy, type StatusItem } from '../envoy/harness.js';
import { type Lab, startLab } from '../netns/lab.js';
import { labOptions } from '../netns/mesh.js';
import type { Answer, Call } from '../netns/orders.js';
import type { SeenCondition } from './mesh.js';
import type { Body, Shown } from './registry.js';
import { createWriter } from './writer.js';
import type { Input } from './written.js';

/** Where the pods are. */
const namespace = 'shop';

/** The lab as one test sees it. */
export interface TestLab {
  /** Of Envoy: `1.39.3`. */
  readonly version: string;
  /** Replaces all objects of the test, and waits until they are in force; throws if one is not ready. */
  apply(...inputs: readonly Input[]): Promise<void>;
  /** The same for objects of which some are wrong: waits until every one is judged. */
  attempt(...inputs: readonly Input[]): Promise<void>;
  /** Calls as the application of `client`, or of another pod. */
  call(asked: Call, from?: string): Promise<Answer>;
  /** Of an object, by kind and name; in the namespace of the pods unless the name is `namespace/name`. */
  condition(kind: string, name: string, type: string): Promise<SeenCondition>;
  /** The Envoy beside `client`. */
  envoy(): RealEnvoy;
}

/** The shared lab. */
export interface SharedLab {
  run(body: Body<TestLab>): Promise<Shown | undefined>;
  stop(): Promise<void>;
}

function viewOf(lab: Lab, version: string, apply: Pick<TestLab, 'apply' | 'attempt'>): TestLab {
  return {
    ...apply,
    version,
    call: (asked, from = `${namespace}/client`) => lab.call(from, asked),
    condition: async (kind, name, type) => {
      const key = name.includes('/') ? name : `${namespace}/${name}`;
      const isIt = ({ kind: one, metadata }: StatusItem): boolean =>
        one === kind && `${metadata.namespace}/${metadata.name}` === key;
      return conditionOf((await lab.statuses()).find(isIt), type);
    },
    envoy: () => lab.envoy(`${namespace}/client`),
  };
}

/** Starts the lab of an Envoy version. */
export async function startSharedLab(version: string): Promise<SharedLab> {
  const lab = await startLab(labOptions(version));
  return {
    run: async (body) => {
      const writer = createWriter(lab, { file: 'test.yaml', namespace, isShared: true });
      const view = viewOf(lab, version, {
        apply: (...inputs) => writer.apply(inputs),
        attempt: (...inputs) => writer.attempt(inputs),
      });
      try {
        const shown = await body(view);
        return shown === 'refused' ? shown : undefined;
      } finally {
        await writer.clear();
      }
    },
    stop: () => lab.stop(),
  };
}
