// What people ask the merged policy of, and which attachments reach it: calls to a port, pods where they are called, rules
// of a route. The lists are those that are compiled. Knows nothing of what a merge says.

import { describeRef, idOf, keyOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { Pod, ServicePort, World } from '../kinds/world.js';
import { holdsFor, type PolicyContext } from './policy-reach.js';
import type { PolicyAttachment } from './policy.js';
import { servicesCalling } from './proxies.js';
import { namesPort } from './services.js';
import type { CompiledRoute } from './traffic-route.js';

/** What the merged policy is asked of. */
export type PolicySubject =
  | { readonly kind: 'service'; readonly key: ObjectKey; readonly port: string | undefined }
  | { readonly kind: 'pod'; readonly key: ObjectKey }
  | { readonly kind: 'workload'; readonly workload: string; readonly key: ObjectKey }
  | { readonly kind: 'route'; readonly ref: ObjectRef; readonly rule: string | undefined }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | { readonly kind: 'mesh' };

/** One place where a merge holds. */
export interface PolicyPlace {
  /** `calls to Service 'shop/reviews', port 9080 (http)`. */
  readonly about: string;
  readonly reaching: readonly PolicyAttachment[];
  /** Whether a part of the merge, said at some target, counts here. */
  readonly counts: (path: string, by: PolicyAttachment | undefined) => boolean;
  /** A rule that may say something itself. */
  readonly rule?: { readonly ref: ObjectRef; readonly name: string };
}

type Places = readonly PolicyPlace[];

const describePort = ({ port, name }: ServicePort): string =>
  name === '' ? String(port) : `${String(port)} (${name})`;

const forCalls = (path: string): boolean => holdsFor('call', path);
const forPods = (path: string): boolean => holdsFor('pod', path);

interface CalledPod {
  readonly pod: Pod;
  readonly ports: readonly number[];
}

const podText = ({ pod, ports }: CalledPod): string => {
  const on = ports.length === 0 ? '' : `, port ${ports.join(', ')}`;
  return `requests to Pod '${keyOf(pod.meta)}'${on}`;
};

/** Pods by what reaches them: those that are reached alike are one place. */
function placesOfPods(pods: readonly Pod[], via: ObjectKey | undefined, context: PolicyContext): Places {
  const calling = servicesCalling(context.world.endpointSlices);
  const byList = new Map<readonly PolicyAttachment[], CalledPod[]>();
  const add = (pod: Pod, list: readonly PolicyAttachment[], port?: number): void => {
    const known = byList.get(list) ?? [];
    const same = known.find((one) => one.pod === pod);
    const next = { pod, ports: [...(same?.ports ?? []), ...(port === undefined ? [] : [port])] };
    byList.set(list, [...known.filter((one) => one !== same), next]);
  };
  for (const pod of pods) {
    const ports = [...calling(pod)].filter(([, by]) => via === undefined || by.some(({ service }) => service === via));
    for (const [port, by] of ports) add(pod, context.policies.reachingPod(pod, by), port);
    if (ports.length === 0 && via === undefined) add(pod, context.policies.reachingPod(pod));
  }
  return [...byList].map(([reaching, called]) => {
    const [first] = called;
    const others = called.length > 1 ? ` and ${String(called.length - 1)} more like it` : '';
    return { about: `${first === undefined ? '' : podText(first)}${others}`, reaching, counts: forPods };
  });
}

function placesOfService(key: ObjectKey, port: string | undefined, context: PolicyContext): Places {
  const { world, policies } = context;
  const ports = (world.services.get(key)?.ports ?? []).filter(
    (one) => one.protocol === 'TCP' && (port === undefined || port === one.name || port === String(one.port)),
  );
  const pods = [...world.pods.values()];
  return [
    ...ports.map((one) => ({
      about: `calls to Service '${key}', port ${describePort(one)}`,
      reaching: policies.reachingService(key, one.name),
      counts: forCalls,
    })),
    ...(ports.length === 0 ? [] : placesOfPods(pods, key, context)),
  ];
}

/** A rule's timeouts and retries; policies on the route itself may say more. */
const forRule = (path: string, by: PolicyAttachment | undefined): boolean =>
  path === 'upstream.timeouts' || path === 'upstream.retry' || by?.target.level === 'route';

/** The ports of Services that a route is attached to. */
function parentPorts(route: CompiledRoute, { world }: PolicyContext) {
  return route.parents.flatMap((parent) => {
    const service = parent.ref.kind === 'Service' ? world.services.get(keyOf(parent.ref)) : undefined;
    const ports = (service?.ports ?? []).filter((port) => port.protocol === 'TCP' && namesPort(parent, port));
    return ports.map((port) => ({ key: keyOf(parent.ref), port }));
  });
}

/** What policies on the route say comes before what those on the Service say, each member as a whole. */
function placesOfRoute(route: CompiledRoute, wanted: string | undefined, context: PolicyContext): Places {
  const { policies } = context;
  const ports = parentPorts(route, context);
  const rules = route.rules.map(({ rule }) => rule.name).filter((name) => wanted === undefined || wanted === name);
  return rules.flatMap((name): Places => {
    const common = { counts: forRule, rule: { ref: route.ref, name } };
    const about = `rule '${name}' of ${describeRef(route.ref)}`;
    const onRule = policies.onRoute(route.ref, name);
    if (ports.length === 0) return [{ ...common, about, reaching: onRule }];
    return ports.map(({ key, port }) => ({
      ...common,
      about: `${about}, for calls to Service '${key}', port ${describePort(port)}`,
      reaching: [...onRule, ...policies.reachingService(key, port.name)],
    }));
  });
}

/** Namespaces that are written, or that objects are in. */
export const namespacesIn = ({ namespaces, services, pods }: World): ReadonlySet<string> =>
  new Set([
    ...[...namespaces.values()].map(({ meta }) => meta.name),
    ...[...services.values(), ...pods.values()].map(({ meta }) => meta.namespace),
  ]);

const everything = (): boolean => true;

/** Where a subject takes part; none: there is no such thing. */
export function placesOf(subject: PolicySubject, context: PolicyContext): Places {
  const { world, policies, routes } = context;
  switch (subject.kind) {
    case 'service':
      return placesOfService(subject.key, subject.port, context);
    case 'pod': {
      const pod = world.pods.get(subject.key);
      return pod === undefined ? [] : placesOfPods([pod], undefined, context);
    }
    case 'workload': {
      const isOwn = ({ workload }: Pod): boolean =>
        workload.kind === subject.workload && keyOf(workload) === subject.key;
      return placesOfPods([...world.pods.values()].filter(isOwn), undefined, context);
    }
    case 'route': {
      const route = routes.find(({ ref }) => idOf(ref) === idOf(subject.ref));
      return route === undefined ? [] : placesOfRoute(route, subject.rule, context);
    }
    case 'namespace': {
      if (!namespacesIn(world).has(subject.namespace)) return [];
      const about = `everything in namespace '${subject.namespace}' of which nothing nearer is said`;
      return [{ about, reaching: policies.reachingService(`${subject.namespace}/`, ''), counts: everything }];
    }
    case 'mesh': {
      const about = 'everything in the mesh of which nothing nearer is said';
      return [{ about, reaching: policies.reachingService('/', ''), counts: everything }];
    }
  }
}
