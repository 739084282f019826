// One simulated Envoy: asks, answers and waits in the order in which Envoy does.
//
// CDS first; EDS for the clusters that came; the ACK of CDS once none of them lacks its endpoints; then LDS, SRDS and
// the route configurations that those name. A redial states at once all that is known.
import { internName, type Catalog, type TypeCatalog } from './catalog.js';
import { connect, type Connection, type ConnectionTarget } from './h2.js';
import { encodeDelta, encodeSotw, type DeltaRequest } from './requests.js';
import type { Mode, Response, ResponseReader } from './responses.js';
import {
  assign,
  createClientState,
  isComplete,
  refer,
  type ClientState,
  type LinkChange,
  type TypeState,
} from './state.js';
import { TYPE, TYPES } from './types.js';

/** What a simulated Envoy needs. */
export interface EnvoyOptions {
  readonly mode: Mode;
  readonly catalog: Catalog;
  readonly reader: ResponseReader;
  readonly target: ConnectionTarget;
  readonly node: Buffer;
  /** Ask for scoped routes. */
  readonly scopes: boolean;
  /** Take a SotW response with scoped routes as a change; Envoy takes it as all there are. */
  readonly partialScopes: boolean;
  /** Route configurations to ask for besides those that resources name. */
  readonly routes: readonly string[];
  /** Responses of one read have been handled and answered. */
  readonly onHandled: (isComplete: boolean) => void;
  readonly onClosed: (reason: string) => void;
}

/** A simulated Envoy. */
export interface Envoy {
  readonly state: ClientState;
  readonly dial: () => void;
  readonly drop: () => void;
  readonly bytesRead: () => number;
  readonly isComplete: () => boolean;
}

interface Subscription {
  asked: boolean;
  version: string;
  nonce: string;
  /** Responses whose ACK is withheld. */
  held: string[];
}

const sortNumbers = (numbers: number[]): number[] => numbers.sort((a, b) => a - b);

const referenced = (client: ClientState, type: number): readonly number[] => {
  const names: number[] = [];
  client.types[type]?.references.forEach((references, name) => {
    if (references > 0) names.push(name);
  });
  return names;
};

/** Asks and acknowledges in one protocol; the rest of the client does not know which one it speaks. */
interface Speaker {
  readonly ask: (type: number, links: LinkChange | undefined) => void;
  readonly ack: (type: number, nonce: string) => void;
}

interface SpeakerDeps {
  readonly options: EnvoyOptions;
  readonly client: ClientState;
  readonly subscriptions: readonly Subscription[];
  readonly send: (message: Buffer) => void;
  /** The node, once per stream. */
  readonly node: () => { readonly node?: Buffer };
}

const createDeltaSpeaker = ({ options, client, subscriptions, send, node }: SpeakerDeps): Speaker => {
  const write = (request: DeltaRequest): void => {
    const names = options.catalog[request.type];
    if (names !== undefined) send(encodeDelta(names, request));
  };
  const first = (type: number): void => {
    const known = client.types[type]?.variants ?? new Int32Array();
    const names = TYPES[type]?.wildcard === true ? {} : { subscribe: referenced(client, type) };
    write({ type, ...node(), ...names, ...(known.some((id) => id > 0) ? { known } : {}) });
  };
  return {
    ask: (type, links) => {
      const subscription = subscriptions[type];
      if (subscription?.asked === false) {
        subscription.asked = true;
        first(type);
      } else if (links !== undefined && links.added.length + links.dropped.length > 0) {
        write({ type, subscribe: links.added, unsubscribe: links.dropped });
      }
    },
    ack: (type, nonce) => {
      write({ type, nonce });
    },
  };
};

const createSotwSpeaker = ({ options, client, subscriptions, send, node }: SpeakerDeps): Speaker => {
  const write = (type: number): void => {
    const names = options.catalog[type];
    const subscription = subscriptions[type];
    if (names === undefined || subscription === undefined) return;
    const { version, nonce } = subscription;
    const asked = TYPES[type]?.wildcard === true ? [] : referenced(client, type);
    send(encodeSotw(names, { type, ...node(), version, nonce, names: asked }));
  };
  return {
    ask: (type, links) => {
      const subscription = subscriptions[type];
      if (subscription === undefined) return;
      if (subscription.asked && (links?.added.length ?? 0) + (links?.dropped.length ?? 0) === 0) return;
      subscription.asked = true;
      write(type);
    },
    ack: write,
  };
};

/** Names of a complete SotW response that were not in it. */
const missingFrom = (response: Response, state: TypeState): readonly number[] => {
  const present = new Set(response.variants.map((variant) => variant.name));
  const missing: number[] = [];
  state.variants.forEach((variant, name) => {
    if (variant > 0 && !present.has(name)) missing.push(name);
  });
  return missing;
};

interface Applying {
  readonly options: EnvoyOptions;
  readonly client: ClientState;
  readonly response: Response;
}

const namesGone = ({ options, response }: Applying, entry: TypeCatalog, state: TypeState): readonly number[] => {
  const isPartial = options.partialScopes && response.type === TYPE.scope;
  const isWhole = options.mode === 'sotw' && entry.info.wildcard && !isPartial;
  return isWhole ? missingFrom(response, state) : response.removed.map((name) => internName(entry, name));
};

/** Applies a response to the state; names that it has begun to refer to end up in `links`. */
const applyResponse = (applying: Applying, links: LinkChange): void => {
  const { options, client, response } = applying;
  const { catalog } = options;
  const { type } = response;
  const entry = catalog[type];
  const state = client.types[type];
  if (entry === undefined || state === undefined) return;
  for (const variant of response.variants) {
    // A named resource that is no longer asked for may still be on its way.
    if (!entry.info.wildcard && (state.references[variant.name] ?? 0) === 0) continue;
    assign(client, { catalog, type, name: variant.name, variant: variant.id }, links);
  }
  for (const name of namesGone(applying, entry, state)) assign(client, { catalog, type, name, variant: 0 }, links);
};

const isMissing = (client: ClientState, type: number): boolean => {
  const state = client.types[type];
  return state?.references.some((references, name) => references > 0 && (state.variants[name] ?? 0) === 0) ?? false;
};

/** Reacts to responses: follows links, withholds and sends ACKs, asks for the next types. */
const createReactor = (options: EnvoyOptions, client: ClientState, deps: SpeakerDeps) => {
  const { catalog } = options;
  const { subscriptions } = deps;
  const speaker = options.mode === 'delta' ? createDeltaSpeaker(deps) : createSotwSpeaker(deps);
  const follow = (type: number, links: LinkChange): void => {
    const target = TYPES[type]?.linksTo;
    if (target === undefined || links.added.length + links.dropped.length === 0) return;
    for (const name of links.dropped) assign(client, { catalog, type: target, name, variant: 0 }, links);
    sortNumbers(links.added);
    speaker.ask(target, links);
  };
  const acknowledge = (type: number): void => {
    const held = subscriptions[type]?.held.splice(0) ?? [];
    const answered = options.mode === 'delta' ? held : held.slice(-1);
    for (const nonce of answered) speaker.ack(type, nonce);
  };
  const acknowledgeIfWarm = (): void => {
    const isHolding = (subscriptions[TYPE.cluster]?.held.length ?? 0) > 0;
    if (!isHolding || isMissing(client, TYPE.endpoint)) return;
    acknowledge(TYPE.cluster);
    speaker.ask(TYPE.listener, undefined);
  };
  const afterListeners = (): void => {
    if (options.scopes) speaker.ask(TYPE.scope, undefined);
    if (options.routes.length > 0) speaker.ask(TYPE.route, undefined);
  };
  return {
    ask: speaker.ask,
    onResponse: (response: Response): void => {
      const { type, nonce, version } = response;
      const subscription = subscriptions[type];
      if (subscription === undefined) return;
      const links: LinkChange = { added: [], dropped: [] };
      applyResponse({ options, client, response }, links);
      Object.assign(subscription, { nonce, version });
      subscription.held.push(nonce);
      follow(type, links);
      if (type === TYPE.listener) afterListeners();
      if (type !== TYPE.cluster) acknowledge(type);
      if (type === TYPE.cluster || type === TYPE.endpoint) acknowledgeIfWarm();
    },
  };
};

const referToRoutes = ({ catalog, routes }: EnvoyOptions, client: ClientState): void => {
  const entry = catalog[TYPE.route];
  const state = client.types[TYPE.route];
  if (entry === undefined || state === undefined) return;
  for (const name of routes) refer(state, internName(entry, name));
};

/** Creates a client; it does nothing before `dial`. */
export const createEnvoy = (options: EnvoyOptions): Envoy => {
  const client = createClientState(options.catalog);
  const subscriptions = TYPES.map((): Subscription => ({ asked: false, version: '', nonce: '', held: [] }));
  let connection: Connection | undefined;
  let bytesBefore = 0;
  let nodeSent = false;
  const reactor = createReactor(options, client, {
    options,
    client,
    subscriptions,
    send: (message) => connection?.send(message),
    node: () => {
      if (nodeSent) return {};
      nodeSent = true;
      return { node: options.node };
    },
  });
  const isDone = (): boolean => isComplete(options.catalog, client) && subscriptions.every((s) => s.held.length === 0);
  const dial = (): void => {
    bytesBefore += connection?.bytesRead() ?? 0;
    nodeSent = false;
    const wasAsked = subscriptions.map((subscription) => subscription.asked);
    for (const subscription of subscriptions) Object.assign(subscription, { asked: false, nonce: '', held: [] });
    connection = connect(options.target, {
      onMessage: (bytes, start, end) => {
        reactor.onResponse(options.reader.read(bytes.subarray(start, end)));
      },
      onReadEnd: () => {
        connection?.flush();
        options.onHandled(isDone());
      },
      onClose: options.onClosed,
    });
    TYPES.forEach((_, type) => {
      if (type === TYPE.cluster || wasAsked[type] === true) reactor.ask(type, undefined);
    });
    connection.flush();
  };
  referToRoutes(options, client);
  return {
    state: client,
    dial,
    drop: () => connection?.destroy(),
    bytesRead: () => bytesBefore + (connection?.bytesRead() ?? 0),
    isComplete: isDone,
  };
};
