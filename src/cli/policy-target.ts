// What people type to name the target of policies: `svc/shop/reviews:http`, `ns/shop`, `mesh`. Kinds have the names that
// kubectl knows them by. Pure.

import { closest, didYouMean } from '../api/did-you-mean.js';
import { keyOf, type RefKind } from '../api/meta.js';
import type { World } from '../kinds/world.js';
import { err, ok, type Result } from '../lib/result.js';
import { namespacesIn, type PolicySubject } from '../reconcilers/policy-subjects.js';

const routeKinds = {
  TrafficRoute: ['troute', 'trafficroute', 'trafficroutes'],
  HTTPRoute: ['httproute', 'httproutes'],
  GRPCRoute: ['grpcroute', 'grpcroutes'],
} as const;

const workloadKinds = {
  Deployment: ['deploy', 'deployment', 'deployments'],
  StatefulSet: ['sts', 'statefulset', 'statefulsets'],
  DaemonSet: ['ds', 'daemonset', 'daemonsets'],
  ReplicaSet: ['rs', 'replicaset', 'replicasets'],
  Job: ['job', 'jobs'],
} as const;

const plainKinds = {
  Service: ['svc', 'service', 'services'],
  Pod: ['pod', 'po', 'pods'],
  Namespace: ['ns', 'namespace', 'namespaces'],
  Mesh: ['mesh'],
} as const;

type TargetKind = keyof typeof routeKinds | keyof typeof workloadKinds | keyof typeof plainKinds;

const kindNames: readonly (readonly [TargetKind, string])[] = [plainKinds, workloadKinds, routeKinds].flatMap((table) =>
  Object.entries<readonly string[]>(table).flatMap(([kind, names]) =>
    names.flatMap((name): [TargetKind, string][] => (isTargetKind(kind) ? [[kind, name]] : [])),
  ),
);

function isTargetKind(kind: string): kind is TargetKind {
  return kind in plainKinds || kind in workloadKinds || kind in routeKinds;
}

const isRouteKind = (kind: TargetKind): kind is keyof typeof routeKinds => kind in routeKinds;

/** The forms that a target has. */
export const targetForms = [
  'svc/NS/NAME[:PORT]',
  'pod/NS/NAME',
  'deploy/NS/NAME',
  'troute/NS/NAME[/RULE]',
  'ns/NS',
  'mesh',
] as const;

const unreadable = (text: string): string => `'${text}' is no target; targets are ${targetForms.join(', ')}`;

/** `shop/reviews:http`: the name of an object cannot hold a colon. */
function serviceOf(namespace: string, rest: string): PolicySubject {
  const [name = '', port] = rest.split(':');
  return { kind: 'service', key: `${namespace}/${name}`, port };
}

/** The mesh and namespaces have no object's name; all else is NS/NAME, and a route may go on with a rule. */
function subjectOf(kind: TargetKind, [namespace, name, rule]: readonly string[]): PolicySubject | undefined {
  if (kind === 'Mesh') return namespace === undefined ? { kind: 'mesh' } : undefined;
  if (namespace === undefined) return undefined;
  if (kind === 'Namespace') return name === undefined ? { kind: 'namespace', namespace } : undefined;
  if (name === undefined) return undefined;
  if (isRouteKind(kind)) return { kind: 'route', ref: { kind, namespace, name }, rule };
  return rule === undefined ? objectOf(kind, namespace, name) : undefined;
}

function objectOf(
  kind: Exclude<TargetKind, 'Mesh' | 'Namespace' | keyof typeof routeKinds>,
  namespace: string,
  name: string,
): PolicySubject {
  if (kind === 'Service') return serviceOf(namespace, name);
  const key = `${namespace}/${name}`;
  return kind === 'Pod' ? { kind: 'pod', key } : { kind: 'workload', workload: kind, key };
}

/** Reads a target; the error is what to say instead. */
export function parseTarget(text: string): Result<PolicySubject, string> {
  const [word = '', ...parts] = text.split('/');
  const kind = kindNames.find(([, name]) => name === word.toLowerCase())?.[0];
  if (kind === undefined) {
    const guess = closest(
      word,
      kindNames.map(([, name]) => name),
    );
    return err(guess === undefined ? unreadable(text) : `no kind is called '${word}'; did you mean '${guess}'?`);
  }
  const isWhole = parts.length <= 3 && parts.every((part) => part !== '');
  const subject = isWhole ? subjectOf(kind, parts) : undefined;
  return subject === undefined ? err(unreadable(text)) : ok(subject);
}

const routeTables = { TrafficRoute: 'trafficRoutes', HTTPRoute: 'httpRoutes', GRPCRoute: 'grpcRoutes' } as const;

const isRouteTable = (kind: RefKind): kind is keyof typeof routeTables => kind in routeTables;

/** Keys of all objects of the subject's kind. */
function keysFor(subject: PolicySubject, world: World): Iterable<string> {
  switch (subject.kind) {
    case 'service':
      return world.services.keys();
    case 'pod':
      return world.pods.keys();
    case 'workload':
      return [...world.pods.values()].map(({ workload }) => `${workload.namespace}/${workload.name}`);
    case 'route':
      return isRouteTable(subject.ref.kind) ? world[routeTables[subject.ref.kind]].keys() : [];
    case 'namespace':
      return namespacesIn(world);
    case 'mesh':
      return [];
  }
}

function keyIn(subject: PolicySubject): string {
  if (subject.kind === 'route') return keyOf(subject.ref);
  if (subject.kind === 'namespace') return subject.namespace;
  return subject.kind === 'mesh' ? '' : subject.key;
}

/** What to say of a target that is not there. */
export function unknownTarget(text: string, subject: PolicySubject, world: World): string {
  const keys = [...new Set(keysFor(subject, world))].sort();
  const key = keyIn(subject);
  if (keys.includes(key)) return `'${text}' names no port, pod or rule that is there`;
  return `the mesh has no '${text}'${didYouMean(key, keys)}`;
}
