// Sizes, and the fixed sequence of changes that every contender goes through.
import type { Op, WireChange, WireResource, Presentation } from './protocol.js';

/** How big a world is. */
export interface Size {
  readonly name: string;
  readonly proxies: number;
  readonly services: number;
  readonly endpoints: number;
  /** TrafficRoutes of each service. */
  readonly routes: number;
}

/** The sizes that `--size` knows. */
export const SIZES: readonly Size[] = [
  { name: 'XS', proxies: 10, services: 10, endpoints: 10, routes: 1 },
  { name: 'S', proxies: 100, services: 100, endpoints: 10, routes: 1 },
  { name: 'M', proxies: 1000, services: 1000, endpoints: 10, routes: 1 },
  // A gateway: few proxies, each of which has 10,000 routes.
  { name: 'G', proxies: 10, services: 1000, endpoints: 10, routes: 10 },
];

/** What is measured one step at a time. `warmup` and `remove` are checked, not measured. */
export type Scenario = 'warmup' | 'endpoint' | 'route' | 'workload' | 'mesh' | 'service' | 'reconnect' | 'remove';

/** One step: its ops are applied, then every proxy must equal the oracle. */
export interface PlannedStep {
  readonly scenario: Scenario;
  readonly ops: readonly Op[];
}

/** A planned step with what it changes on the wire, op by op. */
export interface Step {
  readonly scenario: Scenario;
  readonly ops: readonly { readonly op: Op; readonly change: WireChange }[];
}

/** All that the contenders serve: the first state, and the changes. */
export interface Tape {
  readonly presentation: Presentation;
  readonly scopes: boolean;
  readonly base: readonly WireResource[];
  readonly steps: readonly Step[];
}

const times = (count: number, step: (i: number) => PlannedStep): readonly PlannedStep[] =>
  Array.from({ length: count }, (_, i) => step(i));

/** Repetitions of the scenarios. */
export const REPEAT = { warmup: 2, endpoint: 20, route: 20, workload: 20, mesh: 3, service: 10, reconnect: 3 } as const;

/** The one client that an op is for; undefined: it is for all. */
export const clientOf = ({ op }: Op): number | undefined => (op === 'workloadPolicy' ? 0 : undefined);

/** The plan for a number of services: `n` differs from step to step, so that each changes something. */
export const planSteps = (services: number): readonly PlannedStep[] => {
  const pick = (i: number): number => (i * 7) % services;
  return [
    ...times(REPEAT.warmup, (i) => ({
      scenario: 'warmup',
      ops: [
        { op: 'endpoint', service: pick(i), n: 100 + i },
        { op: 'route', service: pick(i), n: 50 + i },
      ],
    })),
    ...times(REPEAT.endpoint, (i) => ({ scenario: 'endpoint', ops: [{ op: 'endpoint', service: pick(i), n: i + 1 }] })),
    ...times(REPEAT.route, (i) => ({ scenario: 'route', ops: [{ op: 'route', service: pick(i), n: i + 1 }] })),
    ...times(REPEAT.service, (i) => ({ scenario: 'service', ops: [{ op: 'addService', index: services + i }] })),
    ...times(REPEAT.reconnect, (i) => ({
      scenario: 'reconnect',
      ops: [
        { op: 'endpoint', service: pick(i), n: 200 + i },
        { op: 'route', service: pick(i), n: 30 + i },
      ],
    })),
    // After all else, so that no policy is in force there.
    ...times(REPEAT.workload, (i) => ({ scenario: 'workload', ops: [{ op: 'workloadPolicy', n: i }] })),
    ...times(REPEAT.mesh, (i) => ({ scenario: 'mesh', ops: [{ op: 'meshPolicy', n: i }] })),
    { scenario: 'remove', ops: [{ op: 'removeService', index: services }] },
  ];
};
