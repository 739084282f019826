// What the wire reports back: the only thing that status knows of streams, and the only part of the model
// that the server knows.

import type { ObjectRef } from '../api/meta.js';

/** Proxies that receive equal configuration and count as one in status: workload, account, capture, gates. */
export type GroupKey = string;

/** A proxy: `namespace/name` of its pod. */
export type ProxyKey = string;

/** The part of a user object that a piece of configuration came from. */
export interface Origin {
  readonly ref: ObjectRef;
  readonly generation: number;
  /** Rule of a route, block of a policy; absent: the whole object. */
  readonly part?: string;
}

/** Envoy's refusal of one resource, traced to its owner. */
export interface Rejection {
  readonly origin: Origin;
  /** `rds o/shop/reviews/9080`, as status shows it. */
  readonly resource: string;
  /** Envoy's words, normalised and cut to 256 characters. */
  readonly message: string;
  /** Version of the Envoy that refused, `1.39.3`; empty: our own check before sending. */
  readonly envoy: string;
  /** A last good version of the part stays in force. */
  readonly kept: boolean;
}

interface Source {
  readonly proxy: ProxyKey;
  readonly group: GroupKey;
}

/** One event of one proxy: where it has several streams, of the newest. */
export type Delivery =
  | (Source & { readonly kind: 'connected'; readonly envoy: string })
  /** The proxy holds everything of `revision` that it did not refuse, acknowledged. */
  | (Source & { readonly kind: 'settled'; readonly revision: number })
  | (Source & { readonly kind: 'disconnected' });
