// Session persistence of a route rule: the exact endpoint while it lives. Knows no kind.

import { dur, headerName } from '../api/fields.js';
import { object, oneOf, text, type Static } from '../api/schema.js';

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
