// When a client has everything: also what it will only ask for once it has processed what names it. Envoy asks
// for listeners when its clusters are warm, and for routes when it has the listeners and scopes that name them.

import { memoised } from '../lib/memo.js';
import type { NameTable } from './name-table.js';
import { extensionsNamedBy, routesNamedBy } from './plan.js';
import { wakeAt, type Awaiting, type StreamState, type Turn, type TypeState } from './stream-state.js';
import { noSubscription, resourceIn, wants, type Subscription } from './view.js';

/** How long a client may take to ask for what it was told of, in milliseconds. */
export const askingMs = 5_000;

export const nothingAwaited: Awaiting = { until: undefined, givenUp: new Set() };

/** Stands for the listeners themselves among the names of route configurations. */
const listeners = '';

/** What the client is expected to ask for and has not. */
function unasked(stream: StreamState): readonly string[] {
  const { listener, scope, route, extension } = stream.types;
  if (listener === undefined) return stream.types.cluster === undefined ? [] : [listeners];
  const known = listener.workedOut.unasked;
  const isKnown = known?.scope === scope && known?.route === route && known?.extension === extension;
  if (known !== undefined && isKnown) return known.names;
  const names = findUnasked(stream, listener);
  listener.workedOut.unasked = { scope, route, extension, names };
  return names;
}

function findUnasked(stream: StreamState, listener: TypeState): readonly string[] {
  const { scope, route } = stream.types;
  const asked = route?.subscription ?? noSubscription;
  const routes = [listener, scope].flatMap((state) => {
    if (state === undefined) return [];
    return [
      ...unaskedOf(routesNamedBy(state.sent), asked, stream.names.route),
      ...ownIn(state, 'routes').filter(isUnasked(asked, stream.names.route)),
    ];
  });
  return [...routes, ...unaskedExtensions(stream, listener)];
}

function unaskedExtensions(stream: StreamState, listener: TypeState): readonly string[] {
  const named = [...extensionsNamedBy(listener.sent), ...ownIn(listener, 'extensions')];
  if (named.length === 0) return named;
  return named.filter(isUnasked(stream.types.extension?.subscription ?? noSubscription, stream.names.extension));
}

const ownIn = ({ own }: TypeState, what: 'routes' | 'extensions'): readonly string[] =>
  own.size === 0 ? [] : [...own.values()].flatMap((entry) => resourceIn(entry)?.[what] ?? []);

const isUnasked =
  (asked: Subscription, names: NameTable) =>
  (name: string): boolean =>
    !wants(asked, names.idOf(name));

const unaskedOf = memoised((named: readonly string[], asked: Subscription, names: NameTable): readonly string[] =>
  named.filter(isUnasked(asked, names)),
);

const without = (names: readonly string[], givenUp: ReadonlySet<string>): readonly string[] =>
  names.length === 0 ? names : names.filter((name) => !givenUp.has(name));

/** The stream after everything that it asked for was acknowledged: settled, or waiting for what it will ask for. */
export function settle(stream: StreamState, turn: Turn): StreamState {
  const { revision } = stream.view;
  if (stream.settled === revision || Object.keys(stream.types).length === 0) return stream;
  const { until, givenUp } = stream.awaiting;
  const missing = without(unasked(stream), givenUp);
  if (missing.length > 0 && (until === undefined || turn.now < until)) {
    const end = until ?? turn.now + askingMs;
    wakeAt(turn, end);
    return until === end ? stream : { ...stream, awaiting: { until: end, givenUp } };
  }
  turn.effects.push({ kind: 'settled', revision });
  const awaiting =
    missing.length === 0 && until === undefined
      ? stream.awaiting
      : { until: undefined, givenUp: new Set([...givenUp, ...missing]) };
  return { ...stream, settled: revision, awaiting };
}
