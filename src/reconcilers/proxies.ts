// Which proxies there are, and on which ports their pods are called.

import type { ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { Capture, InboundPort, ProxyModel } from '../model/mesh.js';

/** Ports on which slices call a pod: a container may listen where it declares nothing. */
type CalledPorts = ReadonlyMap<ObjectKey, readonly number[]>;

const internText = createInterner<{ readonly pairs: readonly (readonly [ObjectKey, number])[] }>(100_000);

/** The pods and ports that the slices of one Service call; equal answers are one object. */
const pairsOf = memoised((slices: readonly EndpointSlice[]) => {
  const pairs = slices.flatMap((slice) =>
    slice.endpoints.flatMap(({ pod }) => (pod === undefined ? [] : slice.ports.map(({ port }): [ObjectKey, number] => [pod, port]))),
  );
  return internText(JSON.stringify(pairs), () => ({ pairs }));
});

const subject = {};
const calledPorts = memoisedList((_: object, all: readonly { readonly pairs: readonly (readonly [ObjectKey, number])[] }[]): CalledPorts => {
  const byPod = new Map<ObjectKey, number[]>();
  for (const { pairs } of all) {
    for (const [pod, port] of pairs) {
      const ports = byPod.get(pod) ?? [];
      byPod.set(pod, ports.includes(port) ? ports : [...ports, port]);
    }
  }
  return byPod;
});

const internPorts = createInterner<readonly number[]>(10_000);
const noPorts: readonly number[] = [];

const workloadName = (pod: Pod): string => `${pod.workload.kind}/${pod.workload.name}.${pod.workload.namespace}`;

const buildProxy = memoised((pod: Pod, called: readonly number[], mode: { readonly capture: Capture }): ProxyModel => {
  const declared = pod.containerPorts.filter((port) => port.protocol === 'TCP').map((port) => port.port);
  const ports = [...new Set([...declared, ...called])].sort((left, right) => left - right);
  const workload = workloadName(pod);
  return {
    key: `${pod.meta.namespace}/${pod.meta.name}`,
    namespace: pod.meta.namespace,
    name: pod.meta.name,
    group: `${workload}|${pod.serviceAccount}|${mode.capture}`,
    workload,
    capture: mode.capture,
    addresses: pod.ips,
    applicationAddress: mode.capture === 'explicit' ? (pod.applicationAddress ?? '127.0.0.1') : undefined,
    inbound: ports.map((port): InboundPort => ({ port, protocol: 'auto' })),
  };
});

const modes = { explicit: { capture: 'explicit' }, redirect: { capture: 'redirect' } } as const;

/** A proxy for every pod that has an address and a network of its own. */
export function reconcileProxies(world: World, capture: Capture): ReadonlyMap<ObjectKey, ProxyModel> {
  const called = calledPorts(subject, [...world.endpointSlices.values()].map(pairsOf));
  const proxies = new Map<ObjectKey, ProxyModel>();
  for (const [key, pod] of world.pods) {
    if (pod.ips.length === 0 || pod.hostNetwork) continue;
    const ports = called.get(key) ?? noPorts;
    proxies.set(key, buildProxy(pod, internPorts(ports.join(), () => ports), modes[capture]));
  }
  return proxies;
}
