// One stream with its socket: feeds the reducer and performs its effects. Knows no gRPC but status codes.

import { hash } from 'node:crypto';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { messageOf } from '../lib/result.js';
import type { Delivery } from '../model/delivery.js';
import type { Assignment, Cache } from './cache.js';
import { quoteNack } from './nack.js';
import { decodeNode, podOfNode, type NodeInfo } from './node.js';
import type { Outbox } from './outbox.js';
import type { Protocol } from './plan.js';
import { shortNameOf, typeOfUrl, type EncodedResource } from './resources.js';
import { newStream, reduce } from './stream.js';
import type { StreamEffect, StreamInput, StreamState } from './stream-state.js';
import type { RequestReader } from './requests.js';
import type { Call, FailureCode } from './transport.js';
import type { RawRequest } from './wire-read.js';
import { createWriter } from './writer.js';

export interface ConnectionDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly log: Logger;
  readonly outbox: Outbox;
  readonly protocol: Protocol;
  readonly call: Call;
  readonly read: RequestReader;
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
  proxy(): string | undefined;
  viewKey(): string | undefined;
  /** Whether the stream has lived for `ageMs`, 20 % more or less: so that not all end at once. */
  isOld(now: number, ageMs: number): boolean;
  receive(bytes: Buffer): void;
  /** Takes what the cache holds now. */
  refresh(): void;
  close(code: FailureCode, message: string): void;
  ended(): void;
}

interface Identity {
  readonly proxy: string;
  readonly node: NodeInfo;
  readonly nodeDigest: string;
  readonly group: string;
}

const digestOf = (bytes: Buffer): string => hash('sha1', bytes, 'base64');

/** One tick at a time: the earliest that was asked for. */
function createAlarm(
  clock: Clock,
  ring: () => void,
): { readonly at: (time: number) => void; readonly stop: () => void } {
  let cancel: (() => void) | undefined;
  let due = Infinity;
  return {
    at: (time) => {
      if (time >= due) return;
      cancel?.();
      due = time;
      cancel = clock.schedule(Math.max(0, time - clock.now()), () => {
        due = Infinity;
        ring();
      });
    },
    stop: () => cancel?.(),
  };
}

const gone = 'which does not exist';

/** What changes in the life of a connection. */
interface Live {
  state: StreamState;
  identity: Identity | undefined;
  assignment: Assignment | undefined;
  open: boolean;
}

/** Tells of what a client said, in the words of the log and of status. */
function createReporter(deps: ConnectionDeps, live: Live): (effect: ReportedEffect) => void {
  const { log } = deps;
  return (effect) => {
    if (live.identity === undefined) return;
    const { proxy, group, node } = live.identity;
    if (effect.kind === 'settled') {
      deps.onDelivery({ kind: 'settled', proxy, group, revision: effect.revision });
      return;
    }
    const [type, envoy] = [shortNameOf[effect.type], node.version];
    if (effect.kind === 'unattributed') {
      log.warn('response rejected', {
        proxy,
        envoy,
        type,
        suspects: effect.suspects,
        error: quoteNack(effect.message),
      });
      return;
    }
    const { resource, message } = effect.culprit;
    const error = quoteNack(message);
    log.warn('configuration rejected', {
      proxy,
      envoy,
      resource: `${type} ${resource.name}`,
      version: resource.version,
      error,
    });
    deps.onRefused({ proxy, envoy, viewKey: live.assignment?.viewKey ?? '', resource, message: error });
  };
}

type ReportedEffect = Extract<StreamEffect, { kind: 'settled' | 'unattributed' | 'refused' }>;

/** The proxy that the first request of a stream names, or what is wrong with it. */
function identityOf(bytes: Buffer, cache: Cache): { readonly identity: Identity; readonly found: Assignment } | string {
  const node = decodeNode(bytes);
  const proxy = podOfNode(node.id);
  const id = node.id.slice(0, 256);
  if (proxy === undefined) return `node id '${id}' names no pod; it must be '<pod>.<namespace>'`;
  const found = cache.lookup(proxy, node.version);
  if (found === undefined) return `node id '${id}' names pod '${proxy.slice(0, 256)}', ${gone}`;
  return { identity: { proxy, node, nodeDigest: digestOf(bytes), group: found.group }, found };
}

/** Whether a request of a known client names another node. */
const changesNode = (request: RawRequest, identity: Identity): boolean =>
  request.node !== undefined &&
  digestOf(request.node) !== identity.nodeDigest &&
  decodeNode(request.node).id !== identity.node.id;

/** What a connection does with what the reducer decides, and how it ends. */
function createDriver(
  deps: ConnectionDeps,
  live: Live,
): { readonly step: (input: StreamInput) => void; readonly end: () => void; readonly close: Connection['close'] } {
  const { clock, log, call } = deps;
  const report = createReporter(deps, live);

  const end = (): void => {
    live.open = false;
    alarm.stop();
    writer.stop();
  };

  const close = (code: FailureCode, message: string): void => {
    if (!live.open) return;
    log.info('stream closed', { proxy: live.identity?.proxy, code, reason: message });
    end();
    call.fail(code, message);
  };

  const writer = createWriter(deps, () => {
    close('RESOURCE_EXHAUSTED', 'the client does not read what it asked for');
  });

  const perform = (effect: StreamEffect): void => {
    if (effect.kind === 'send') writer.send(effect.push);
    else if (effect.kind === 'wake') alarm.at(effect.at);
    else report(effect);
  };

  const step = (input: StreamInput): void => {
    if (!live.open) return;
    const { state, effects } = reduce(live.state, input);
    live.state = state;
    for (const effect of effects) perform(effect);
  };

  const alarm = createAlarm(clock, () => {
    step({ kind: 'tick', now: clock.now() });
  });
  return { step, end, close };
}

/** Wraps a call that was just accepted. */
export function createConnection(deps: ConnectionDeps): Connection {
  const { cache, clock, log } = deps;
  const startedAt = clock.now();
  const live: Live = {
    state: newStream({ protocol: deps.protocol, names: cache.names }),
    identity: undefined,
    assignment: undefined,
    open: true,
  };
  const { step, end, close } = createDriver(deps, live);

  const follow = (next: Assignment): void => {
    if (live.assignment?.viewKey !== next.viewKey) deps.moved(connection, live.assignment?.viewKey, next.viewKey);
    live.assignment = next;
    step({ kind: 'view', view: next.view, own: next.own, now: clock.now() });
  };

  /** The first request names the node; false when the stream was closed. */
  const identify = (bytes: Buffer | undefined): boolean => {
    const named = bytes === undefined ? 'the first request must name its node' : identityOf(bytes, cache);
    if (typeof named === 'string') {
      close(named.endsWith(gone) ? 'NOT_FOUND' : 'INVALID_ARGUMENT', named);
      return false;
    }
    const { identity, found } = named;
    const { proxy, group, node } = identity;
    live.identity = identity;
    deps.onDelivery({ kind: 'connected', proxy, group, envoy: node.version });
    log.info('proxy connected', { proxy, group, envoy: node.version, protocol: deps.protocol });
    follow(found);
    return true;
  };

  const handle = (bytes: Buffer): void => {
    const request = deps.read(bytes);
    if (live.identity === undefined ? !identify(request.node) : changesNode(request, live.identity)) {
      close('INVALID_ARGUMENT', 'the node of a stream must not change');
      return;
    }
    const type = typeOfUrl(request.typeUrl);
    if (type === undefined) close('UNIMPLEMENTED', `resource type '${request.typeUrl.slice(0, 256)}' is not served`);
    else step({ kind: 'request', type, request, now: clock.now() });
  };

  const connection: Connection = {
    proxy: () => live.identity?.proxy,
    viewKey: () => live.assignment?.viewKey,
    isOld: (now, ageMs) =>
      now - startedAt > 0.8 * ageMs &&
      now - startedAt > ageMs * (0.8 + (0.4 * spreadOf(`${live.identity?.proxy ?? ''}${String(startedAt)}`)) / 0xffff),
    receive: (bytes) => {
      if (!live.open) return;
      try {
        handle(bytes);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        close('INVALID_ARGUMENT', `malformed request: ${messageOf(error)}`);
      }
    },
    refresh: () => {
      const { identity, assignment } = live;
      if (identity === undefined || !live.open) return;
      const next = cache.lookup(identity.proxy, identity.node.version, assignment);
      if (next === undefined) close('NOT_FOUND', `pod '${identity.proxy}' is gone`);
      else if (next.view !== assignment?.view || next.own !== assignment.own) follow(next);
    },
    close,
    ended: () => {
      end();
      if (live.identity === undefined) return;
      const { proxy, group } = live.identity;
      live.identity = undefined;
      deps.onDelivery({ kind: 'disconnected', proxy, group });
    },
  };
  return connection;
}

const spreadOf = (text: string): number => Number.parseInt(hash('sha1', text, 'hex').slice(0, 4), 16);
