// Scenarios as data, and the runner that plays one with a peer. `sees` consumes every response since the last
// `sees`, so a response too many fails the scenario.

import { expect } from 'chai';
import type { Protocol } from '../../src/xds/plan.js';
import type { ResourceType } from '../../src/xds/resources.js';
import { lineOf, type Received } from './client.js';
import type { Peer } from './peers.js';
import { typeOf, type Short, type Spec } from './world.js';

/** One move. `which` counts back from the newest response of the type: 0, 1, … */
export type Move =
  | { readonly do: 'ask'; readonly type: Short; readonly names: readonly string[] }
  | { readonly do: 'drop'; readonly type: Short; readonly names: readonly string[] }
  | { readonly do: 'ack'; readonly type: Short; readonly which: number }
  | { readonly do: 'nack'; readonly type: Short; readonly message: string; readonly which: number }
  /** A request with a nonce that was never given, which also asks for something. */
  | { readonly do: 'stale'; readonly type: Short; readonly names: readonly string[] }
  | { readonly do: 'serve'; readonly spec: Spec; readonly own: Spec }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'sees'; readonly lines: readonly string[] }
  | { readonly do: 'settled'; readonly revisions: readonly number[] }
  | { readonly do: 'refused'; readonly names: readonly string[] }
  /** The stream breaks; the client comes back and asks for these types with what it knows. */
  | { readonly do: 'reconnect' }
  | {
      readonly do: 'return';
      readonly type: Short;
      readonly names: readonly string[];
      readonly knowing?: Readonly<Record<string, string>>;
    };

/** A conversation; both protocols unless it says otherwise. */
export interface Scenario {
  readonly name: string;
  readonly only?: Protocol;
  readonly moves: readonly Move[];
}

export const ask = (type: Short, ...names: string[]): Move => ({ do: 'ask', type, names });
export const drop = (type: Short, ...names: string[]): Move => ({ do: 'drop', type, names });
export const ack = (type: Short, which = 0): Move => ({ do: 'ack', type, which });
export const nack = (type: Short, message: string, which = 0): Move => ({ do: 'nack', type, message, which });
export const stale = (type: Short, ...names: string[]): Move => ({ do: 'stale', type, names });
export const serve = (spec: Spec, own: Spec = {}): Move => ({ do: 'serve', spec, own });
export const wait = (ms: number): Move => ({ do: 'wait', ms });
export const sees = (...lines: string[]): Move => ({ do: 'sees', lines });
export const settled = (...revisions: number[]): Move => ({ do: 'settled', revisions });
export const refused = (...names: string[]): Move => ({ do: 'refused', names });
export const reconnect: Move = { do: 'reconnect' };
export const back = (type: Short, names: readonly string[], knowing?: Readonly<Record<string, string>>): Move => ({
  do: 'return',
  type,
  names,
  ...(knowing === undefined ? {} : { knowing }),
});

interface Memory {
  names: readonly string[];
  version: string;
  nonce: string;
  readonly versions: Map<string, string>;
}

/** Plays a scenario. */
export async function play(scenario: Scenario, protocol: Protocol, peer: Peer): Promise<void> {
  const memory = new Map<ResourceType, Memory>();
  let seen = 0;
  let revision = 0;

  const of = (type: ResourceType): Memory => {
    const known = memory.get(type) ?? { names: [], version: '', nonce: '', versions: new Map() };
    memory.set(type, known);
    return known;
  };
  const responseOf = (type: ResourceType, which: number): Received => {
    const response = peer.received.filter((one) => one.type === type).at(-1 - which);
    if (response === undefined) throw new Error(`no response of ${type}`);
    return response;
  };
  const say = async (type: ResourceType, extra: Parameters<Peer['say']>[0]): Promise<void> => {
    const { names, version, nonce } = of(type);
    await peer.say(protocol === 'sotw' ? { names, version, nonce, ...extra, type } : { ...extra, type });
  };

  const accept = (type: ResourceType, response: Received): void => {
    const known = of(type);
    known.version = response.version;
    for (const [name, one] of response.resources) known.versions.set(name, one.version);
    for (const name of response.removed) known.versions.delete(name);
  };

  const perform: { readonly [K in Move['do']]: (move: Extract<Move, { do: K }>) => Promise<void> | void } = {
    ask: (move) => {
      const type = typeOf(move.type);
      of(type).names = [...new Set([...of(type).names, ...move.names])];
      return say(type, { type, add: move.names });
    },
    drop: (move) => {
      const type = typeOf(move.type);
      of(type).names = of(type).names.filter((name) => !move.names.includes(name));
      for (const name of move.names) of(type).versions.delete(name);
      return say(type, { type, drop: move.names });
    },
    ack: async (move) => {
      const type = typeOf(move.type);
      const response = responseOf(type, move.which);
      accept(type, response);
      of(type).nonce = response.nonce;
      await say(type, { type, nonce: response.nonce });
    },
    nack: async (move) => {
      const type = typeOf(move.type);
      const { nonce } = responseOf(type, move.which);
      of(type).nonce = nonce;
      await say(type, { type, nonce, error: move.message });
    },
    stale: (move) => {
      const type = typeOf(move.type);
      return say(type, { type, add: move.names, names: [...of(type).names, ...move.names], nonce: 'never-given' });
    },
    serve: (move) => {
      peer.serve(++revision, move.spec, move.own);
    },
    wait: (move) => {
      peer.advance(move.ms);
    },
    sees: async (move) => {
      await peer.hears(seen + move.lines.length);
      expect(peer.received.slice(seen).map(lineOf)).to.deep.equal(move.lines);
      seen = peer.received.length;
    },
    settled: (move) => {
      expect(peer.settled.splice(0)).to.deep.equal(move.revisions);
    },
    refused: (move) => {
      expect(peer.refused.splice(0)).to.deep.equal(move.names);
    },
    reconnect: async () => {
      await peer.reconnect();
      for (const known of memory.values()) known.nonce = '';
    },
    return: async (move) => {
      const type = typeOf(move.type);
      const known = of(type);
      known.names = move.names;
      const initial = Object.fromEntries(known.versions);
      await say(type, { type, add: move.names, initial: { ...initial, ...move.knowing } });
    },
  };

  for (const [index, move] of scenario.moves.entries()) {
    try {
      await (perform[move.do] as (move: Move) => Promise<void> | void)(move);
    } catch (error) {
      throw new Error(
        `move ${String(index)} ${JSON.stringify(move)}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }
  await peer.finish();
  expect(peer.received.slice(seen).map(lineOf), 'responses that nobody expected').to.deep.equal([]);
}
