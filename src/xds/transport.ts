// The border between gRPC and the protocol: a transport carries the messages of calls and knows nothing of xDS but
// the names of its two methods. Two stand behind it: grpc-js, the reference, and node:http2, which costs less.

import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { Protocol } from './plan.js';

/** The status codes of gRPC that calls are ended with. */
export const statusCodes = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** A way in which a call fails. */
export type FailureCode = Exclude<keyof typeof statusCodes, 'OK'>;

/** The server's side of a call, as far as a stream needs it. */
export interface Call {
  /** Sends a message, framed as by `wire.ts`. False: wait for `onDrain`. `done` is called once the bytes have left. */
  write(framed: Buffer, done?: () => void): boolean;
  onDrain(resume: () => void): void;
  /** Ends the call with a status, after what was written. */
  fail(code: FailureCode, message: string): void;
}

/** What hears the client of a call. */
export interface Receiver {
  /** One message at a time: the next comes after `next` was called, and meanwhile the client is slowed down. */
  receive(message: Buffer, next: () => void): void;
  /** The call is over, however it ended; told once. */
  gone(): void;
}

/** Takes calls of a method. */
export type Open = (call: Call) => Receiver;

/** What a transport needs. */
export interface TransportDeps {
  readonly opens: Readonly<Record<Protocol, Open>>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A transport that listens. */
export interface Transport {
  readonly port: number;
  /** Takes no new calls, gives those that were ended a moment to leave, then cuts what is left. */
  stop(): Promise<void>;
}

/** Listens on `host:port`. Throws OperationalError when the address cannot be bound. */
export type Listen = (deps: TransportDeps, address: string) => Promise<Transport>;

/** The names of transports, the default first. */
export const transportNames = ['http2', 'grpc-js'] as const;

/** A transport by its name. */
export type TransportName = (typeof transportNames)[number];

/** The service of both methods. */
export const servicePath = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** The method of each protocol. */
export const methodNames: Readonly<Record<Protocol, string>> = {
  delta: 'DeltaAggregatedResources',
  sotw: 'StreamAggregatedResources',
};

/** Bounds that all transports keep. */
export const limits = {
  messageBytes: 16 * 1024 * 1024,
  /** Envoy opens one stream on each of its connections. */
  streamsPerSession: 16,
  /** A client that is gone is missed after 30 s at most; one that is busy with what it was sent has half of that to answer. */
  keepaliveMs: 15_000,
  keepaliveTimeoutMs: 15_000,
  /** How long a connection without calls is kept. */
  idleMs: 300_000,
  /** How long what has ended may take to leave. */
  farewellMs: 2_000,
} as const;
