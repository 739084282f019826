// A model of Envoy's side of a stream: what it holds, what it has refused, what it still has to answer. Checks
// with each response that the server keeps its rules.

import type { Protocol } from '../../src/xds/plan.js';
import { inFlightAllowed } from '../../src/xds/schedule.js';
import { isWildcardType, resourceTypes, shortNameOf, type ResourceType } from '../../src/xds/resources.js';
import type { Received } from './client.js';
import { differenceOf, fresh, nameIn, newTo, type TypeMemory } from './memory.js';
import { createReducerPeer, type Peer } from './peers.js';
import { names, randomSpec } from './random-world.js';
import type { Spec } from './world.js';

/** One random move. Numbers choose among what there is. */
export type Action =
  | { readonly kind: 'serve'; readonly seed: number }
  | { readonly kind: 'answer'; readonly type: number; readonly which: number }
  | { readonly kind: 'refuse'; readonly type: number; readonly seed: number }
  | { readonly kind: 'ask'; readonly type: number; readonly name: number }
  | { readonly kind: 'drop'; readonly type: number; readonly name: number }
  | { readonly kind: 'reconnect' }
  | { readonly kind: 'wait'; readonly ms: number };

const fail = (what: string): never => {
  throw new Error(what);
};

interface Refusal {
  /** What the response repeats. */
  readonly before: readonly Received[];
  readonly response: Received;
  readonly culprit: string;
  readonly seed: number;
}

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
  const sentHere = new Set<string>();

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
    const open = [memory.nonce, ...memory.pending.map((one) => one.response.nonce)];
    if (open.includes(response.nonce)) fail(`nonce ${response.nonce} given twice`);
    if (memory.pending.length >= inFlightAllowed + 4) fail(`${type}: too many in flight`);
    for (const { label } of response.resources.values()) {
      if (memory.refused.has(label)) fail(`${type} ${label} was refused and is sent again`);
      if (type === 'cluster') everSent.add(nameIn(label));
      sentHere.add(`${type} ${label}`);
      if (type === 'route' && of('cluster').asked && of('cluster').wildcard) checkRoute(label);
    }
  };

  const checkRoute = (label: string): void => {
    for (const cluster of clustersOf.get(label) ?? []) {
      const isServed = served.spec.cds?.[cluster] !== undefined || served.own.cds?.[cluster] !== undefined;
      // A client that refuses what it cannot be sent otherwise gets its routes all the same.
      const isBlocked = of('cluster').blind && of('cluster').refused.size + of('cluster').doubtful.size > 0;
      if (isServed && !isBlocked && !everSent.has(cluster))
        fail(`route ${label} names cluster ${cluster}, which was never sent`);
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
    if (type !== 'cluster' || !was || !of('cluster').wildcard || of('cluster').untold.has(name)) return;
    for (const { label } of of('route').held.values()) {
      // Nobody tells a server of state of the world what the client has from an earlier stream.
      if (protocol === 'sotw' && !sentHere.has(`route ${label}`)) continue;
      if (clustersOf.get(label)?.includes(name) === true) fail(`cluster ${name} is removed while ${label} names it`);
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
    memory.blind = false;
    memory.untold.clear();
    say(type, { nonce: response.nonce });
  };

  /** Full sets repeat what came before them: what Envoy refuses in the newest it refused in those before it. */
  const repeats = (type: ResourceType): boolean => protocol === 'sotw' && isWildcardType(type);

  const refuse = (type: ResourceType, seed: number): void => {
    const memory = of(type);
    const index = protocol === 'sotw' ? memory.pending.length - 1 : memory.pending.findIndex((one) => !one.applied);
    const chosen = memory.pending[index];
    if (chosen === undefined || chosen.applied) return;
    if (!repeats(type)) applyUntil(type, index);
    const { response } = chosen;
    const before = repeats(type) ? memory.pending.slice(0, index).map((one) => one.response) : [];
    if (protocol === 'sotw') memory.pending.length = 0;
    else memory.pending.splice(index, 1);
    const fresh = newTo(memory, response);
    const culprit = fresh[seed % Math.max(1, fresh.length)];
    memory.nonce = response.nonce;
    if (culprit !== undefined) {
      sayRefused(type, { before, response, culprit, seed });
      return;
    }
    for (const one of [...before, response]) apply(type, one, new Set());
    memory.version = response.version;
    memory.blind = false;
    memory.untold.clear();
    say(type, { nonce: response.nonce });
  };

  const sayRefused = (type: ResourceType, { before, response, culprit, seed }: Refusal): void => {
    const memory = of(type);
    const name = nameIn(culprit);
    const isNamed = isWildcardType(type) && seed % 2 === 0;
    // The server can know: the text tells, or there is nothing else in the response.
    if (isNamed || response.resources.size === 1) memory.refused.add(culprit);
    else memory.doubtful.add(culprit);
    // Named: all others are applied. Otherwise nothing is of what holds the culprit.
    const taken = isNamed ? [...before, response] : withoutLabel(before, culprit);
    for (const one of taken) apply(type, one, new Set([culprit]));
    if (!isNamed) for (const one of taken.flatMap(({ resources }) => [...resources.keys()])) memory.untold.add(one);
    say(type, { nonce: response.nonce, error: isNamed ? `Error adding/updating cluster(s) ${name}: bad` : 'bad' });
  };

  const ask = (type: ResourceType, index: number): void => {
    const memory = of(type);
    const name = askable(type, index);
    if (isWildcardType(type) && !memory.asked) {
      memory.wildcard = true;
      say(type, { add: [] });
      return;
    }
    memory.everNamed = true;
    if (name === '*') memory.wildcard = true;
    else memory.names.add(name);
    say(type, { add: [name] });
  };

  const forgetUnwanted = (memory: TypeMemory): void => {
    for (const name of memory.held.keys()) if (!memory.wildcard && !memory.names.has(name)) memory.held.delete(name);
  };

  const dropAll = (type: ResourceType): void => {
    const memory = of(type);
    if (!memory.wildcard || type === 'cluster') return;
    memory.wildcard = false;
    memory.everNamed = true;
    // State of the world can give up `*` only by naming something, if it never did.
    if (protocol === 'sotw') memory.names.add('a');
    forgetUnwanted(memory);
    say(type, { drop: ['*'] });
  };

  const drop = (type: ResourceType, index: number): void => {
    const memory = of(type);
    if (index === 5 && isWildcardType(type)) {
      dropAll(type);
      return;
    }
    const name = [...memory.names][index % Math.max(1, memory.names.size)];
    if (!memory.asked || name === undefined) return;
    memory.names.delete(name);
    forgetUnwanted(memory);
    say(type, { drop: [name] });
  };

  const reconnect = (): void => {
    void peer.reconnect();
    everSent.clear();
    sentHere.clear();
    for (const memory of types.values()) {
      memory.pending.length = 0;
      memory.refused.clear();
      memory.doubtful.clear();
      memory.untold.clear();
      memory.nonce = '';
      memory.blind = memory.version !== '';
    }
    for (const { label } of of('cluster').held.values()) everSent.add(nameIn(label));
    for (const type of resourceTypes) {
      const memory = of(type);
      if (!memory.asked) continue;
      const add = [...(memory.wildcard && memory.everNamed ? ['*'] : []), ...memory.names];
      if (add.length === 0 && !memory.wildcard) {
        // It has nothing of the type any more, so that it states no version either.
        Object.assign(memory, { asked: false, everNamed: false, version: '', blind: false });
        memory.held.clear();
      } else
        say(type, { add, initial: Object.fromEntries([...memory.held].map(([name, one]) => [name, one.version])) });
    }
  };

  const handlers: { readonly [K in Action['kind']]: (action: Extract<Action, { kind: K }>) => void } = {
    serve: (action) => {
      serve(action.seed);
    },
    answer: (action) => {
      answer(typeAt(action.type), action.which);
    },
    refuse: (action) => {
      refuse(typeAt(action.type), action.seed);
    },
    ask: (action) => {
      ask(typeAt(action.type), action.name);
    },
    drop: (action) => {
      drop(typeAt(action.type), action.name);
    },
    reconnect,
    wait: (action) => {
      peer.advance(action.ms);
    },
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
      (handlers[action.kind] as (action: Action) => void)(action);
      receive();
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
    difference: () =>
      resourceTypes.flatMap((type) => differenceOf({ type, memory: of(type), wanted: wantedOf(type), protocol })),
  };
}

const typeAt = (index: number): ResourceType => resourceTypes[index] ?? 'cluster';

/** What a client may ask for by number. */
function askable(type: ResourceType, index: number): string {
  if (index === 4) return 'i/80';
  return index === 5 && isWildcardType(type) ? '*' : (names[index % names.length] ?? 'a');
}

/** The responses in which this is not. */
const withoutLabel = (responses: readonly Received[], label: string): readonly Received[] =>
  responses.filter((one) => one.resources.get(nameIn(label))?.label !== label);
