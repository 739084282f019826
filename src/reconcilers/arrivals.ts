// Which rules hold where requests arrive: found by the Service ports that lead to a port of a pod. A mesh without
// such rules pays nothing for them.

import { keyOf, type ObjectKey } from '../api/meta.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { InboundService, MeshModel, PortModel, Rule, ServiceModel, Target } from '../model/mesh.js';
import { isHeldAtDestination, onArrival } from './arrival.js';
import type { ServicePortOfPod } from './policies.js';
import { compareText } from './precedence.js';

/** What the proxies of pods have to know of the rules of Services. */
export interface Arrivals {
  /** The Services whose requests arrive where these ports lead; empty unless a rule of one of them holds there. */
  at(ports: readonly ServicePortOfPod[]): readonly InboundService[];
}

/** A Service some rules of which hold where their requests arrive. */
interface Holder {
  readonly service: InboundService;
  /** Service ports that they are sent to. */
  readonly leadsTo: ReadonlySet<string>;
}

const portKey = (service: ObjectKey, port: number): string => `${service} ${String(port)}`;

const rulesOf = ({ hosts }: PortModel): readonly Rule[] =>
  hosts.flatMap(({ entries }) => entries.map((one) => one.rule));

const targetsOf = ({ backends }: Rule): readonly Target[] =>
  backends.flatMap((backend) => (backend.kind === 'service' ? [backend.target] : []));

/** Two ports of a Service that lead to one port of a pod share their rules there. */
const holderOf = memoised((service: ServiceModel): Holder | undefined => {
  const ports = service.ports.filter((port) => rulesOf(port).some(isHeldAtDestination));
  if (ports.length === 0) return undefined;
  const { ref, addresses } = service;
  const targets = ports.flatMap(rulesOf).flatMap(targetsOf);
  const own = ports.map(({ port }) => portKey(keyOf(ref), port));
  return {
    service: { ref, addresses, hosts: onArrival(ports.flatMap(({ hosts }) => hosts)) },
    leadsTo: new Set([...own, ...targets.map((target) => portKey(keyOf(target), target.port))]),
  };
});

/** Whether rules of a Service hold where their requests arrive. */
export const holdsRules = (service: ServiceModel): boolean => holderOf(service) !== undefined;

/** Known so that its names are not taken for those of a Service with rules. */
const withoutRules = memoised(({ ref, addresses }: ServiceModel): InboundService => ({ ref, addresses, hosts: [] }));

const intern = listInterner<InboundService>();
const nobody: readonly InboundService[] = [];
const noArrivals: Arrivals = { at: () => nobody };

const byName = (left: InboundService, right: InboundService): number => compareText(keyOf(left.ref), keyOf(right.ref));

/** Finds the rules of all Services. */
export const arrivalsOf = memoised((services: MeshModel['services']): Arrivals => {
  const holders = [...services.values()].flatMap((service) => holderOf(service) ?? []);
  if (holders.length === 0) return noArrivals;
  const byPort = new Map<string, Holder[]>();
  for (const holder of holders) for (const key of holder.leadsTo) byPort.set(key, [...(byPort.get(key) ?? []), holder]);
  const keyOfCall = ({ service, portName }: ServicePortOfPod): string => {
    const port = services.get(service)?.ports.find(({ name }) => name === portName);
    return portKey(service, port?.port ?? 0);
  };
  return {
    at: (ports) => {
      const found = new Set(ports.flatMap((port) => byPort.get(keyOfCall(port)) ?? []));
      if (found.size === 0) return nobody;
      const holding = [...found].map(({ service }) => service);
      const others = [...new Set(ports.flatMap(({ service }) => services.get(service) ?? []))]
        .filter(({ ref }) => !holding.some((one) => keyOf(one.ref) === keyOf(ref)))
        .map(withoutRules);
      return intern([...holding, ...others].sort(byName));
    },
  };
});
