// One stream with its socket: feeds the reducer and performs its effects.

import type { ServerDuplexStream } from '@grpc/grpc-js';
import { hash } from 'node:crypto';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { messageOf } from '../lib/result.js';
import type { Delivery } from '../model/delivery.js';
import type { Assignment, Cache } from './cache.js';
import { quoteNack, type Culprit } from './nack.js';
import { decodeNode, podOfNode, type NodeInfo } from './node.js';
import type { Outbox } from './outbox.js';
import type { Protocol, Push } from './plan.js';
import { shortNameOf, typeOfUrl, type EncodedResource, type ResourceType } from './resources.js';
import { newStream, reduce } from './stream.js';
import type { StreamEffect, StreamInput, StreamState } from './stream-state.js';
import { decodeRequest, type RawRequest } from './wire.js';

export interface ConnectionDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly log: Logger;
  readonly outbox: Outbox;
  readonly protocol: Protocol;
  readonly call: ServerDuplexStream<Buffer, Buffer>;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly onRefused: (refusal: Refusal) => void;
  /** Tells which view the stream follows. */
  readonly moved: (connection: Connection, from: string | undefined, to: string) => void;
}

/** A resource that a proxy refused. */
export interface Refusal {
  readonly proxy: string;
  /** Version of the Envoy that refused. */
  readonly envoy: string;
  readonly viewKey: string;
  readonly resource: EncodedResource;
  /** Envoy's words, ready to be shown. */
  readonly message: string;
}

/** A live stream. */
export interface Connection {
  readonly startedAt: number;
  proxy(): string | undefined;
  viewKey(): string | undefined;
  /** 0.8 to 1.2, fixed for a stream: spreads what happens by age. */
  ageFactor(): number;
  receive(bytes: Buffer): void;
  /** Takes what the cache holds now. */
  refresh(): void;
  close(code: number, message: string): void;
  ended(): void;
}

/** Status codes of gRPC that we close with. */
const status = { invalidArgument: 3, notFound: 5, unimplemented: 12 } as const;

interface Identity {
  readonly proxy: string;
  readonly node: NodeInfo;
  readonly group: string;
}

/** Wraps a call that was just accepted. */
export function createConnection(deps: ConnectionDeps): Connection {
  const { cache, clock, call } = deps;
  const startedAt = clock.now();
  let state: StreamState = newStream({ protocol: deps.protocol, names: cache.names });
  let identity: Identity | undefined;
  let assignment: Assignment | undefined;
  let open = true;
  let cancelWake: (() => void) | undefined;
  let wakeAt = Infinity;
  const queue: Push[] = [];
  let writing = false;

  const close = (code: number, message: string): void => {
    if (!open) return;
    open = false;
    deps.log.info('stream closed', { proxy: identity?.proxy, code, reason: message });
    call.emit('error', Object.assign(new Error(message), { code, details: message }));
  };

  const writeNext = (): void => {
    const push = queue[0];
    if (push === undefined || writing || !open) return;
    queue.shift();
    writing = true;
    deps.outbox.submit(push.bytes.length, (done) => {
      if (!open) {
        done();
        return;
      }
      const flowing = call.write(push.bytes, done);
      const resume = (): void => {
        writing = false;
        writeNext();
      };
      if (flowing) resume();
      else call.once('drain', resume);
    });
  };

  const report = (type: ResourceType, culprit: Culprit): void => {
    if (identity === undefined) return;
    const { proxy, node } = identity;
    const { resource } = culprit;
    const message = quoteNack(culprit.message);
    deps.log.warn('configuration rejected', {
      proxy,
      envoy: node.version,
      resource: `${shortNameOf[type]} ${resource.name}`,
      version: resource.version,
      error: message,
    });
    deps.onRefused({ proxy, envoy: node.version, viewKey: assignment?.viewKey ?? '', resource, message });
  };

  const wake = (at: number): void => {
    if (at >= wakeAt) return;
    cancelWake?.();
    wakeAt = at;
    cancelWake = clock.schedule(Math.max(0, at - clock.now()), () => {
      wakeAt = Infinity;
      step({ kind: 'tick', now: clock.now() });
    });
  };

  const perform = (effect: StreamEffect): void => {
    switch (effect.kind) {
      case 'send':
        queue.push(effect.push);
        writeNext();
        return;
      case 'settled':
        if (identity !== undefined) deps.onDelivery({ kind: 'settled', proxy: identity.proxy, group: identity.group, revision: effect.revision });
        return;
      case 'refused':
        report(effect.type, effect.culprit);
        return;
      case 'wake':
        wake(effect.at);
    }
  };

  const step = (input: StreamInput): void => {
    if (!open) return;
    const { state: next, effects } = reduce(state, input);
    state = next;
    for (const effect of effects) perform(effect);
  };

  const follow = (next: Assignment): void => {
    if (assignment?.viewKey !== next.viewKey) deps.moved(connection, assignment?.viewKey, next.viewKey);
    assignment = next;
    step({ kind: 'view', view: next.view, own: next.own, now: clock.now() });
  };

  const identify = (bytes: Buffer): string | undefined => {
    const node = decodeNode(bytes);
    const proxy = podOfNode(node.id);
    if (proxy === undefined) return `node id '${node.id}' names no pod; it must be '<pod>.<namespace>'`;
    const found = cache.lookup(proxy, node.version);
    if (found === undefined) return `node id '${node.id}' names pod '${proxy}', which does not exist`;
    identity = { proxy, node, group: found.group };
    deps.onDelivery({ kind: 'connected', proxy, group: found.group, envoy: node.version });
    deps.log.info('proxy connected', { proxy, group: found.group, envoy: node.version, protocol: deps.protocol });
    follow(found);
    return undefined;
  };

  /** The first request names the node; a later one that names another is a mistake or an attack. */
  const checkNode = (request: RawRequest): string | undefined => {
    if (identity === undefined) return request.node === undefined ? 'the first request must name its node' : identify(request.node);
    if (request.node === undefined || decodeNode(request.node).id === identity.node.id) return undefined;
    return 'the node of a stream must not change';
  };

  const handle = (bytes: Buffer): void => {
    const request = decodeRequest(bytes, deps.protocol);
    const refusal = checkNode(request);
    if (refusal !== undefined) {
      close(identity === undefined ? status.notFound : status.invalidArgument, refusal);
      return;
    }
    const type = typeOfUrl(request.typeUrl);
    if (type === undefined) close(status.unimplemented, `resource type '${request.typeUrl}' is not served`);
    else step({ kind: 'request', type, request, now: clock.now() });
  };

  const connection: Connection = {
    startedAt,
    proxy: () => identity?.proxy,
    viewKey: () => assignment?.viewKey,
    ageFactor: () => 0.8 + (0.4 * Number.parseInt(hash('sha1', `${identity?.proxy ?? ''}${String(startedAt)}`, 'hex').slice(0, 4), 16)) / 0xffff,
    receive: (bytes) => {
      if (!open) return;
      try {
        handle(bytes);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        close(status.invalidArgument, `malformed request: ${messageOf(error)}`);
      }
    },
    refresh: () => {
      if (identity === undefined || !open) return;
      const next = cache.lookup(identity.proxy, identity.node.version);
      if (next === undefined) close(status.notFound, `pod '${identity.proxy}' is gone`);
      else if (next.view !== assignment?.view || next.own !== assignment.own) follow(next);
    },
    close,
    ended: () => {
      open = false;
      cancelWake?.();
      if (identity === undefined) return;
      deps.onDelivery({ kind: 'disconnected', proxy: identity.proxy, group: identity.group });
      identity = undefined;
    },
  };
  return connection;
}
