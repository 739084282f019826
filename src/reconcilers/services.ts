// Services with the rules of all routes that attach to them, pooled and put in order.

import { describeRef, keyOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { Service, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { Finding } from '../model/finding.js';
import { isHttp, type HostRules, type PortModel, type ServiceModel, type Subset } from '../model/mesh.js';
import { inOrder, matchKey, type RankedEntry } from './precedence.js';
import { protocolOf } from './protocol.js';
import { describeRule } from './rule.js';
import type { CompiledRoute, RouteParent } from './traffic-route.js';

/** A route at one of its parents. */
export interface Attachment {
  readonly route: CompiledRoute;
  readonly parent: RouteParent;
}

/** A Service with what was found out about the routes on it. */
export interface PooledService {
  readonly model: ServiceModel;
  readonly findings: readonly Finding[];
}

const none: readonly never[] = [];

/** Attachments by Service; routes that nothing attaches to are not there. */
export function attachmentsOf(routes: readonly CompiledRoute[]): ReadonlyMap<ObjectKey, readonly Attachment[]> {
  const byService = new Map<ObjectKey, Attachment[]>();
  for (const route of routes) {
    for (const parent of route.parents) {
      const key = keyOf(parent.ref);
      const list = byService.get(key) ?? [];
      list.push(attachment(route, parent));
      byService.set(key, list);
    }
  }
  return byService;
}

const attachment = memoised((route: CompiledRoute, parent: RouteParent): Attachment => ({ route, parent }));

/** Whether a parent names this port. */
const namesPort = (parent: RouteParent, port: { readonly port: number; readonly name: string }): boolean =>
  (parent.port === undefined || parent.port === port.port) &&
  (parent.sectionName === undefined || parent.sectionName === port.name);

const entriesOf = ({ route }: Attachment): readonly RankedEntry[] =>
  route.rules.flatMap(({ rule, matches, index }) =>
    matches.map((match) => ({ match, rule, created: route.created, object: keyOf(route.ref), index })),
  );

interface Pool {
  readonly hosts: readonly HostRules[];
  readonly findings: readonly Finding[];
}

/** Rules for each host name; names without rules of their own get what holds for all names. */
function pool(attachments: readonly Attachment[]): Pool {
  const forAll = attachments.filter(({ route }) => route.hostnames.length === 0);
  const names = [...new Set(attachments.flatMap(({ route }) => route.hostnames))].sort();
  const findings: Finding[] = [];
  const hostRules = (hostnames: readonly string[], own: readonly Attachment[]): HostRules => {
    const ordered = [...inOrder(own.flatMap(entriesOf)), ...(own === forAll ? [] : inOrder(forAll.flatMap(entriesOf)))];
    const { kept, lost } = withoutDead(ordered);
    findings.push(...lost);
    return { hostnames, entries: kept };
  };
  const named = names.map((name) => hostRules([name], attachments.filter(({ route }) => route.hostnames.includes(name))));
  return { hosts: [...named, hostRules(['*'], forAll)], findings };
}

/** A rule with the matches of a better one can never fire: it is left out, and its owner is told. */
function withoutDead(ordered: readonly RankedEntry[]): { readonly kept: readonly RankedEntry[]; readonly lost: readonly Finding[] } {
  const winners = new Map<string, RankedEntry>();
  const lost: Finding[] = [];
  const kept = ordered.filter((entry) => {
    const key = matchKey(entry.match);
    const winner = winners.get(key);
    if (winner === undefined) {
      winners.set(key, entry);
      return true;
    }
    if (winner.rule !== entry.rule) lost.push(overlap(entry, winner));
    return false;
  });
  return { kept, lost };
}

function overlap(loser: RankedEntry, winner: RankedEntry): Finding {
  const { path } = loser.match;
  const older = winner.created !== loser.created ? 'older, ' : '';
  return {
    ref: loser.rule.origin.ref,
    generation: loser.rule.origin.generation,
    condition: 'Conflicted',
    status: 'True',
    reason: 'RuleOverlap',
    message: `Rule '${loser.rule.name}' loses to ${describeRule(winner.rule)} (${older}equal match on path ${path.kind} '${path.value}'); it can never match there`,
    path: `spec.rules[${String(loser.index)}]`,
  };
}

/** TrafficRoutes on a port displace HTTPRoutes of the same role there. */
function preferOurs(attachments: readonly Attachment[], port: ObjectRef & { readonly port: number }): { readonly kept: readonly Attachment[]; readonly findings: readonly Finding[] } {
  const owner = attachments.find(({ route }) => route.ref.kind === 'TrafficRoute' && route.rules.length > 0);
  if (owner === undefined) return { kept: attachments, findings: none };
  const displaced = attachments.filter(({ route }) => route.ref.kind !== 'TrafficRoute');
  return {
    kept: attachments.filter(({ route }) => route.ref.kind === 'TrafficRoute'),
    findings: displaced.map(({ route, parent }) => ({
      ref: route.ref,
      generation: route.generation,
      parent: parent.index,
      condition: 'Accepted',
      status: 'False',
      reason: 'OverriddenByTrafficRoute',
      message: `${describeRef(owner.route.ref)} owns ${describeRef(port)} port ${String(port.port)}`,
    })),
  };
}

const poolService = memoisedList((service: Service, inputs: readonly (Attachment | SubsetList)[]): PooledService => {
  const attachments = inputs.flatMap((input) => ('route' in input ? [input] : []));
  const subsets = inputs.flatMap((input) => ('subsets' in input ? input.subsets : []));
  const ref: ObjectRef = { kind: 'Service', namespace: service.meta.namespace, name: service.meta.name };
  const findings: Finding[] = [];
  const ports = service.ports.filter((port) => port.protocol === 'TCP').map((port): PortModel => {
    const here = attachments.filter(({ parent }) => namesPort(parent, port));
    const protocol = here.some(({ route }) => route.rules.length > 0) ? httpOr(protocolOf(port)) : protocolOf(port);
    const role = (own: readonly Attachment[]): readonly HostRules[] => {
      const { kept, findings: displaced } = preferOurs(own, { ...ref, port: port.port });
      const { hosts, findings: lost } = pool(kept);
      findings.push(...displaced, ...lost);
      return hosts;
    };
    const producers = here.filter(({ route }) => route.ref.namespace === ref.namespace);
    const namespaces = [...new Set(here.map(({ route }) => route.ref.namespace))].filter((name) => name !== ref.namespace);
    return {
      port: port.port,
      name: port.name,
      protocol,
      hosts: role(producers),
      consumers: new Map(namespaces.sort().map((name) => [name, role(here.filter(({ route }) => route.ref.namespace === name))])),
      subsets,
    };
  });
  const origin = { ref, generation: service.meta.generation };
  return { model: { ref, origin, addresses: service.clusterIPs, ports }, findings };
});

/** A route of ours says what is spoken, unless the port itself says more. */
const httpOr = (protocol: PortModel['protocol']): PortModel['protocol'] => (isHttp(protocol) && protocol !== 'auto' ? protocol : 'http');

/** Subsets of one Service. */
export interface SubsetList {
  readonly subsets: readonly Subset[];
}

const internSubsets = createInterner<SubsetList>(10_000);

/** Subsets that the rules of the mesh name, by Service; equal sets are one object. */
export function subsetsOf(routes: readonly CompiledRoute[]): ReadonlyMap<ObjectKey, SubsetList> {
  const found = new Map<ObjectKey, Map<string, Subset>>();
  for (const target of routes.flatMap(targetsOf)) {
    if (target.subset === undefined) continue;
    const key = keyOf(target);
    const ofService = found.get(key) ?? new Map<string, Subset>();
    found.set(key, ofService.set(subsetKey(target.subset), target.subset));
  }
  const entries = [...found].map(([key, ofService]): [ObjectKey, SubsetList] => {
    const keys = [...ofService.keys()].sort();
    return [key, internSubsets(keys.join(), () => ({ subsets: keys.map((one) => ofService.get(one)).filter((one) => one !== undefined) }))];
  });
  return new Map(entries);
}

const subsetKey = (subset: Subset): string => JSON.stringify(Object.entries(subset).sort());

const targetsOf = memoised((route: CompiledRoute) =>
  route.rules.flatMap(({ rule }) => rule.backends.flatMap((backend) => (backend.kind === 'service' ? [backend.target] : []))),
);

/** All Services of a World with their rules. */
export function poolServices(
  world: World,
  inputs: { readonly attachments: ReadonlyMap<ObjectKey, readonly Attachment[]>; readonly subsets: ReadonlyMap<ObjectKey, SubsetList> },
): ReadonlyMap<ObjectKey, PooledService> {
  const services = new Map<ObjectKey, PooledService>();
  for (const [key, service] of world.services) {
    if (service.type === 'ExternalName') continue;
    const subsets = inputs.subsets.get(key);
    const attachments = inputs.attachments.get(key) ?? none;
    services.set(key, poolService(service, subsets === undefined ? attachments : [...attachments, subsets]));
  }
  return services;
}
