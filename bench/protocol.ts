// What the processes of the bench say to each other: driver to clients over IPC, driver to contenders in JSON lines.
import type { NodeTemplate } from './clients/requests.js';
import type { Mode } from './clients/responses.js';

/** A resource as any contender serves it: `value` is the message inside the `Any`. */
export interface WireResource {
  readonly type: string;
  readonly name: string;
  readonly value: Buffer;
}

/** The identity of a resource. */
export interface ResourceKey {
  readonly type: string;
  readonly name: string;
}

/** What a change does to the resources that every proxy has. */
export interface WireChange {
  readonly upsert: readonly WireResource[];
  readonly remove: readonly ResourceKey[];
}

/** How clients present themselves to a contender. */
export interface Presentation {
  readonly node: NodeTemplate;
  /** Request headers; `{i}` stands for the number of the client. */
  readonly headers: Readonly<Record<string, string>>;
  /** Route configurations to ask for besides those that resources name. */
  readonly routes: readonly string[];
  /** Resources whose names match may differ from proxy to proxy; only their presence is compared. */
  readonly perProxy?: string;
}

/** The first line of a contender. */
export interface ReadyLine extends Partial<Presentation> {
  readonly ready: true;
  readonly port: number;
  readonly pid: number;
}

/** A change, as ours gets it; peers get a `WireChange` with the same `op`. */
export type Op =
  | { readonly op: 'endpoint' | 'route'; readonly service: number; readonly n: number }
  | { readonly op: 'workloadPolicy' | 'meshPolicy'; readonly n: number }
  | { readonly op: 'addService' | 'removeService'; readonly index: number };

/** The answer of a contender to a line; `stats` may carry the figures. */
export interface DoneLine {
  readonly done: string;
  readonly eventLoopDelayP99Ms?: number;
}

/** How the clients process begins. */
export interface ClientsInit extends Presentation {
  readonly kind: 'init';
  readonly mode: Mode;
  readonly proxies: number;
  readonly port: number;
  readonly scopes: boolean;
  readonly partialScopes: boolean;
}

/** Driver to clients. Each but `exit` is answered by a `ClientsReply` of the same kind. */
export type ClientsCommand =
  | ClientsInit
  /** `client`: what changes, changes for this one alone. */
  | { readonly kind: 'oracle'; readonly change: WireChange; readonly client?: number }
  | { readonly kind: 'dial' }
  | { readonly kind: 'drop' }
  /** Answers when every client equals the oracle. */
  | { readonly kind: 'await' }
  | { readonly kind: 'dump' }
  | { readonly kind: 'status' }
  | { readonly kind: 'exit' };

/** Clients to driver. Times are milliseconds of the monotonic clock that all processes share. */
export type ClientsReply =
  | { readonly kind: 'init' | 'oracle' | 'dial' | 'drop' }
  | { readonly kind: 'await'; readonly times: readonly number[]; readonly bytes: number }
  | { readonly kind: 'dump'; readonly resources: readonly WireResource[] }
  | ClientsStatus;

/** How the clients stand. */
export interface ClientsStatus {
  readonly kind: 'status';
  readonly wrong: number;
  readonly closed: readonly string[];
  readonly bytes: number;
  readonly idleMs: number;
  /** What the first wrong client lacks or has too much, shortened. */
  readonly example: readonly string[];
}

/** Milliseconds of CLOCK_MONOTONIC: comparable between processes of one machine. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
