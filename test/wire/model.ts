// A model of Envoy's side of a stream: what it holds, what it has refused, what it still has to answer. Checks
// with each response that the server keeps its rules.

import type { Protocol } from '../../src/xds/plan.js';
import { inFlightAllowed } from '../../src/xds/schedule.js';
import { isWildcardType, resourceTypes, shortNameOf, type ResourceType } from '../../src/xds/resources.js';
import type { Received } from './client.js';
import { createReducerPeer, type Peer } from './peers.js';
import type { Content, Spec } from './world.js';

/** One random move. Numbers choose among what there is. */
export type Action =
  | { readonly kind: 'serve'; readonly seed: number }
  | { readonly kind: 'answer'; readonly type: number; readonly which: number }
  | { readonly kind: 'refuse'; readonly type: number; readonly seed: number }
  | { readonly kind: 'ask' | 'drop'; readonly type: number; readonly name: number }
  | { readonly kind: 'reconnect' }
  | { readonly kind: 'wait'; readonly ms: number };

const names = ['a', 'b', 'c', 'd'];

interface Pending {
  readonly response: Received;
  applied: boolean;
}

interface TypeMemory {
  asked: boolean;
  wildcard: boolean;
  everNamed: boolean;
  readonly names: Set<string>;
  /** `a@1` with the version of the resource. */
  readonly held: Map<string, { readonly label: string; readonly version: string }>;
  /** Received and not answered; Envoy may have applied it all the same. */
  readonly pending: Pending[];
  version: string;
  nonce: string;
  readonly refused: Set<string>;
  /** Refused in a way from which the server may or may not have learnt it. */
  readonly doubtful: Set<string>;
}

const fresh = (): TypeMemory => ({
  asked: false,
  wildcard: false,
  everNamed: false,
  names: new Set(),
  held: new Map(),
  pending: [],
  version: '',
  nonce: '',
  refused: new Set(),
  doubtful: new Set(),
});

/** A sequence of small numbers from one. */
function dice(seed: number): (sides: number) => number {
  let state = seed + 1;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % sides;
  };
}

/** A consistent view: routes name clusters that are there. Clusters are `a` to `d`, and so are the rest. */
function randomSpec(seed: number): { readonly spec: Spec; readonly own: Spec } {
  const roll = dice(seed);
  const pick = (): Record<string, Content> =>
    Object.fromEntries(names.filter(() => roll(3) > 0).map((name) => [name, 1 + roll(3)]));
  const cds = pick();
  const clusters = Object.keys(cds);
  const rds = Object.fromEntries(
    Object.entries(pick()).map(([name, v]): [string, Content] => {
      const target = clusters[roll(Math.max(1, clusters.length))];
      return [
        name,
        { v: 10 * Number(v) + 'abcd'.indexOf(target ?? 'a'), clusters: target === undefined ? [] : [target] },
      ];
    }),
  );
  const own: Spec =
    roll(2) === 0
      ? {}
      : {
          cds: { 'i/80': 1 + roll(2) },
          lds: { explicit: 1 + roll(2) },
          rds: { 'i/80': { v: roll(2), clusters: ['i/80'] } },
        };
  const eds = Object.fromEntries(clusters.map((name) => [name, 1 + roll(3)]));
  return { spec: { cds, eds, lds: pick(), srds: pick(), rds, sds: pick() }, own };
}

const fail = (what: string): never => {
  throw new Error(what);
};

/** A client and its server. */
export interface Model {
  perform(action: Action): void;
  /** Answers everything until nothing more comes. */
  converge(): void;
  /** Where the client's state is not what it should be. */
  difference(): readonly string[];
}

/** A model of one client. */
export function createModel(protocol: Protocol): Model {
  const peer: Peer = createReducerPeer(protocol);
  const types = new Map<ResourceType, TypeMemory>(resourceTypes.map((type) => [type, fresh()]));
  const of = (type: ResourceType): TypeMemory => types.get(type) ?? fresh();
  let seen = 0;
  let revision = 0;
  let served: { readonly spec: Spec; readonly own: Spec } = { spec: {}, own: {} };
  /** What a label of a route names. */
  const clustersOf = new Map<string, readonly string[]>();
  const everSent = new Set<string>();
  const nonces = new Set<string>();

  const serve = (seed: number): void => {
    served = randomSpec(seed);
    for (const rds of [served.spec.rds, served.own.rds]) {
      for (const [name, content] of Object.entries(rds ?? {})) {
        if (typeof content === 'object') clustersOf.set(`${name}@${String(content.v)}`, content.clusters ?? []);
      }
    }
    peer.serve(++revision, served.spec, served.own);
  };

  const checkSent = (type: ResourceType, response: Received): void => {
    const memory = of(type);
    if (nonces.has(response.nonce)) fail(`nonce ${response.nonce} given twice`);
    nonces.add(response.nonce);
    if (memory.pending.length >= inFlightAllowed + 4) fail(`${type}: too many in flight`);
    for (const { label } of response.resources.values()) {
      if (memory.refused.has(label)) fail(`${type} ${label} was refused and is sent again`);
      if (type === 'cluster') everSent.add(label.slice(0, label.indexOf('@')));
      if (type === 'route' && of('cluster').asked && of('cluster').wildcard) checkRoute(label);
    }
  };

  const checkRoute = (label: string): void => {
    for (const cluster of clustersOf.get(label) ?? []) {
      const isServed = served.spec.cds?.[cluster] !== undefined || served.own.cds?.[cluster] !== undefined;
      if (isServed && !everSent.has(cluster)) fail(`route ${label} names cluster ${cluster}, which was never sent`);
    }
  };

  /** Envoy applies a response when it processes it, whatever it answers later. */
  const apply = (type: ResourceType, response: Received, except: ReadonlySet<string>): void => {
    const memory = of(type);
    const isFull = protocol === 'sotw' && isWildcardType(type);
    const gone = isFull ? [...memory.held.keys()].filter((name) => !response.resources.has(name)) : response.removed;
    for (const name of gone) remove(type, name);
    for (const [name, one] of response.resources) {
      if (except.has(one.label) || !(memory.wildcard || memory.names.has(name))) continue;
      memory.held.set(name, one);
    }
  };

  const remove = (type: ResourceType, name: string): void => {
    const was = of(type).held.delete(name);
    if (type !== 'cluster' || !was || !of('cluster').wildcard) return;
    for (const { label } of of('route').held.values()) {
      if (clustersOf.get(label)?.includes(name) === true)
        fail(`cluster ${name} is removed while route ${label} names it`);
    }
  };

  const receive = (): void => {
    for (; seen < peer.received.length; seen++) {
      const response = peer.received[seen];
      if (response === undefined) continue;
      checkSent(response.type, response);
      of(response.type).pending.push({ response, applied: false });
    }
  };

  const say = (
    type: ResourceType,
    extra: { nonce?: string; error?: string; add?: string[]; drop?: string[]; initial?: Record<string, string> },
  ): void => {
    const memory = of(type);
    memory.asked = true;
    const all = [...(memory.wildcard && memory.everNamed ? ['*'] : []), ...memory.names];
    void peer.say(
      protocol === 'sotw'
        ? { nonce: memory.nonce, ...extra, type, names: all, version: memory.version }
        : { ...extra, type },
    );
    receive();
  };

  /** Responses are applied in the order in which they came, whenever they are answered. */
  const applyUntil = (type: ResourceType, end: number): void => {
    for (const one of of(type).pending.slice(0, end)) {
      if (!one.applied) apply(type, one.response, new Set());
      one.applied = true;
    }
  };

  const answer = (type: ResourceType, which: number): void => {
    const memory = of(type);
    if (memory.pending.length === 0) return;
    const index = protocol === 'sotw' ? memory.pending.length - 1 : Math.min(which, memory.pending.length - 1);
    applyUntil(type, index + 1);
    // State of the world answers the newest response, for all before it.
    const { response } =
      (protocol === 'sotw' ? memory.pending.splice(0) : memory.pending.splice(index, 1)).at(-1) ??
      fail('nothing to answer');
    memory.nonce = response.nonce;
    memory.version = response.version;
    say(type, { nonce: response.nonce });
  };

  const refuse = (type: ResourceType, seed: number): void => {
    const memory = of(type);
    const index = protocol === 'sotw' ? memory.pending.length - 1 : memory.pending.findIndex((one) => !one.applied);
    const chosen = memory.pending[index];
    if (chosen === undefined || chosen.applied) return;
    applyUntil(type, index);
    const { response } = chosen;
    if (protocol === 'sotw') memory.pending.length = 0;
    else memory.pending.splice(index, 1);
    const fresh = [...response.resources.values()]
      .map((one) => one.label)
      .filter(
        (label) => memory.held.get(label.slice(0, label.indexOf('@')))?.label !== label && !label.endsWith('@empty'),
      );
    const culprit = fresh[seed % Math.max(1, fresh.length)];
    memory.nonce = response.nonce;
    if (culprit === undefined) {
      apply(type, response, new Set());
      memory.version = response.version;
      say(type, { nonce: response.nonce });
      return;
    }
    const name = culprit.slice(0, culprit.indexOf('@'));
    const isNamed = isWildcardType(type) && seed % 2 === 0;
    // The server can know: the text tells, or there is nothing else in the response.
    if (isNamed || response.resources.size === 1) memory.refused.add(culprit);
    else memory.doubtful.add(culprit);
    // Named: all others are applied. Otherwise nothing is.
    if (isNamed) apply(type, response, new Set([culprit]));
    say(type, { nonce: response.nonce, error: isNamed ? `Error adding/updating cluster(s) ${name}: bad` : 'bad' });
  };

  const ask = (type: ResourceType, index: number): void => {
    const memory = of(type);
    const name = isWildcardType(type) && index === 5 ? '*' : index === 4 ? 'i/80' : names[index % 4];
    if (name === undefined) return;
    if (isWildcardType(type) && !memory.asked) {
      memory.wildcard = true;
      say(type, { add: [] });
      return;
    }
    memory.everNamed = true;
    if (name === '*') memory.wildcard = true;
    else memory.names.add(name);
    if (protocol === 'sotw' && memory.wildcard && !memory.everNamed) return;
    say(type, { add: [name] });
  };

  const drop = (type: ResourceType, index: number): void => {
    const memory = of(type);
    const name = index === 5 && isWildcardType(type) ? '*' : [...memory.names][index % Math.max(1, memory.names.size)];
    if (!memory.asked || name === undefined) return;
    if (name === '*') {
      if (!memory.wildcard || type === 'cluster') return;
      memory.wildcard = false;
      memory.everNamed = true;
      if (protocol === 'sotw' && memory.names.size === 0) memory.names.add('a');
      if (protocol === 'delta') say(type, { drop: ['*'] });
    } else {
      memory.names.delete(name);
    }
    for (const held of [...memory.held.keys()])
      if (!memory.wildcard && !memory.names.has(held)) memory.held.delete(held);
    if (name !== '*' || protocol === 'sotw') say(type, { drop: [name] });
  };

  const reconnect = (): void => {
    void peer.reconnect();
    nonces.clear();
    everSent.clear();
    for (const memory of types.values()) {
      memory.pending.length = 0;
      memory.refused.clear();
      memory.doubtful.clear();
      memory.nonce = '';
    }
    for (const { label } of of('cluster').held.values()) everSent.add(label.slice(0, label.indexOf('@')));
    for (const type of resourceTypes) {
      const memory = of(type);
      if (!memory.asked) continue;
      const add = [...(memory.wildcard && memory.everNamed ? ['*'] : []), ...memory.names];
      if (add.length === 0 && !memory.wildcard) {
        Object.assign(memory, { asked: false, everNamed: false });
        memory.held.clear();
      } else
        say(type, { add, initial: Object.fromEntries([...memory.held].map(([name, one]) => [name, one.version])) });
    }
  };

  const perform = (action: Action): void => {
    switch (action.kind) {
      case 'serve':
        serve(action.seed);
        break;
      case 'answer':
        answer(resourceTypes[action.type] ?? 'cluster', action.which);
        break;
      case 'refuse':
        refuse(resourceTypes[action.type] ?? 'cluster', action.seed);
        break;
      case 'ask':
        ask(resourceTypes[action.type] ?? 'cluster', action.name);
        break;
      case 'drop':
        drop(resourceTypes[action.type] ?? 'cluster', action.name);
        break;
      case 'reconnect':
        if (revision > 0) reconnect();
        break;
      case 'wait':
        peer.advance(action.ms);
    }
    receive();
  };

  const answerAll = (): number => {
    let answered = 0;
    for (const type of resourceTypes) {
      while (of(type).pending.length > 0) {
        answer(type, 0);
        receive();
        if (++answered > 500) fail('the server never stops');
      }
    }
    return answered;
  };

  const wantedOf = (type: ResourceType): ReadonlyMap<string, string> => {
    const short = shortNameOf[type];
    const memory = of(type);
    const all = [...Object.entries(served.spec[short] ?? {}), ...Object.entries(served.own[short] ?? {})];
    const wanted = all.filter(([name]) => memory.wildcard || memory.names.has(name));
    return new Map(
      wanted.map(([name, content]) => [name, `${name}@${String(typeof content === 'number' ? content : content.v)}`]),
    );
  };

  return {
    perform: (action) => {
      // Nobody talks to a server that has nothing to serve.
      if (revision === 0) serve(0);
      perform(action);
    },
    converge: () => {
      if (revision === 0) serve(0);
      for (let round = 0; round < 60; round++) {
        answerAll();
        peer.advance(1_000);
        receive();
      }
      if (answerAll() > 0) fail('responses after a minute of quiet');
      peer.advance(120_000);
      receive();
      if (answerAll() > 0) fail('responses after convergence');
    },
    difference: () => resourceTypes.flatMap((type) => differenceOf(type, of(type), wantedOf(type), protocol)),
  };
}

function differenceOf(
  type: ResourceType,
  memory: TypeMemory,
  wanted: ReadonlyMap<string, string>,
  protocol: Protocol,
): readonly string[] {
  const differences: string[] = [];
  for (const [name, label] of wanted) {
    const held = memory.held.get(name)?.label;
    if (held !== label && !memory.refused.has(label) && !memory.doubtful.has(label))
      differences.push(`${type} ${label} is missing; there is ${held ?? 'nothing'}`);
  }
  for (const [name, { label }] of memory.held) {
    if (wanted.has(name) || type === 'endpoint') continue;
    // State of the world cannot remove what is named; a refused route may still need its cluster.
    if (protocol === 'sotw' && !isWildcardType(type)) continue;
    if (type !== 'cluster') differences.push(`${type} ${label} should be gone`);
  }
  return differences;
}
