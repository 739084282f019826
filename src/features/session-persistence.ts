// Session persistence of a route rule: the exact endpoint while it lives. Knows no kind.

import { StatefulSessionPerRoute } from '../gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.js';
import { CookieBasedSessionState } from '../gen/envoy/extensions/http/stateful_session/cookie/v3/cookie.js';
import { HeaderBasedSessionState } from '../gen/envoy/extensions/http/stateful_session/header/v3/header.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { dur, headerName } from '../api/fields.js';
import { object, oneOf, text, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { durationOf } from './envoy-values.js';
import { defineFeature } from './feature.js';

/** `rules[].sessionPersistence`. */
export const sessionPersistenceSchema = object(
  {
    type: oneOf(['Cookie', 'Header'], { doc: 'Where the session is kept.', default: 'Cookie' }),
    cookie: object(
      {
        name: headerName({
          doc: 'Name of the cookie.',
          default: 'legation-session',
          envoy: 'CookieBasedSessionState.cookie.name',
        }),
        path: text(
          { max: 1024 },
          {
            doc: 'Path of the cookie.',
            default: '/',
            envoy: 'CookieBasedSessionState.cookie.path',
          },
        ),
        lifetimeType: oneOf(['Session', 'Permanent'], {
          doc: 'Whether the cookie outlives the browser; Permanent lives for `absoluteTimeout`.',
          default: 'Session',
          envoy: 'CookieBasedSessionState.cookie.ttl',
        }),
      },
      { doc: 'The cookie, for type Cookie.' },
    ),
    header: object(
      {
        name: headerName({ doc: 'Name of the header.', required: true, envoy: 'HeaderBasedSessionState.name' }),
      },
      { doc: 'The header, for type Header.' },
    ),
    absoluteTimeout: dur(
      {},
      {
        doc: 'Life of a permanent cookie.',
        envoy: 'CookieBasedSessionState.cookie.ttl',
      },
    ),
  },
  {
    doc: 'Keep a client at the endpoint that it was sent to first.',
    rules: [
      {
        id: 'sessionPersistence',
        rule: "has(self.header) == (self.type == 'Header') && (!has(self.cookie) || self.type == 'Cookie')",
        messageExpression: `"\`sessionPersistence\` of type '%s' %s".format([self.type, self.type == 'Header' ? 'must set \`header\` and must not set \`cookie\`' : 'must not set \`header\`'])`,
      },
      {
        id: 'sessionPersistence',
        rule: "self.type == 'Cookie' || !has(self.absoluteTimeout)",
        message: "`absoluteTimeout` may only be set when `type` is 'Cookie'",
      },
      {
        id: 'sessionPersistence',
        rule: "!has(self.cookie) || self.cookie.lifetimeType != 'Permanent' || has(self.absoluteTimeout)",
        message: "`absoluteTimeout` must be set when `lifetimeType` is 'Permanent'",
      },
    ],
  },
);

/** Session persistence after defaults. */
export type SessionPersistence = Static<typeof sessionPersistenceSchema>;

interface State {
  readonly name: string;
  readonly typedConfig: Any;
}

/** A cookie without a lifetime is gone with the browser. */
function cookieState({ cookie, absoluteTimeout }: SessionPersistence): State {
  const { name = 'legation-session', path = '/', lifetimeType = 'Session' } = cookie ?? {};
  const lives = lifetimeType === 'Permanent' && absoluteTimeout !== undefined;
  const state = { cookie: { name, path, ...(lives ? { ttl: durationOf(absoluteTimeout) } : {}) } };
  return {
    name: 'envoy.http.stateful_session.cookie',
    typedConfig: packAny(CookieBasedSessionState, CookieBasedSessionState.fromPartial(state)),
  };
}

const headerState = (name: string): State => ({
  name: 'envoy.http.stateful_session.header',
  typedConfig: packAny(HeaderBasedSessionState, HeaderBasedSessionState.fromPartial({ name })),
});

/** The endpoint is written into the cookie or header: nothing is kept in a proxy, and any of them can read it. */
export const sessionPersistence = defineFeature<'sessionPersistence', SessionPersistence, State>({
  key: 'sessionPersistence',
  summary: 'Keep a client at the endpoint that it was sent to first.',
  compile: (config) => ok(config.header === undefined ? cookieState(config) : headerState(config.header.name)),
  keepsEndpoint: true,
  onRoute: (sessionState, { direction }) => {
    if (direction === 'inbound') return {};
    const perRoute = StatefulSessionPerRoute.fromPartial({
      override: { $case: 'statefulSession', value: { sessionState } },
    });
    return { route: { typedPerFilterConfig: { 'mesh.session': packAny(StatefulSessionPerRoute, perRoute) } } };
  },
});
