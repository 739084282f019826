// Header modifiers of requests and responses, of rules and of backends: one shape, four places.
// Knows no kind and no other feature.

import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOption,
} from '../gen/envoy/config/core/v3/base.js';
import { err, ok, type Result } from '../lib/result.js';
import { breaksHeader, literal } from './envoy-values.js';
import { defineFeature, type Patch, type RequestOnTheWay } from './feature.js';
import { headerName } from '../api/fields.js';
import { list, object, text, type Static } from '../api/schema.js';

const edits = (doc: string, envoy: string) =>
  list(
    object(
      {
        name: headerName({ doc: 'Header name.', required: true, envoy }),
        value: text({ min: 1, max: 4096 }, { doc: 'Header value.', required: true, envoy }),
      },
      { doc: 'A header.' },
    ),
    { keys: ['name'] },
    { doc },
  );

const modifier = (side: 'request' | 'response', holder: string) =>
  object(
    {
      set: edits(
        'Headers that replace those of the same name.',
        `${holder}.${side}_headers_to_add, OVERWRITE_IF_EXISTS_OR_ADD`,
      ),
      add: edits(
        'Headers that join those of the same name.',
        `${holder}.${side}_headers_to_add, APPEND_IF_EXISTS_OR_ADD`,
      ),
      remove: list(
        headerName({ doc: 'Header name.' }),
        {},
        {
          doc: 'Headers that are removed.',
          envoy: `${holder}.${side}_headers_to_remove`,
        },
      ),
    },
    { doc: `Change headers of the ${side}.` },
  );

/** Of a rule's requests. */
export const requestHeaderModifierSchema = modifier('request', 'Route');

/** Of a rule's responses. */
export const responseHeaderModifierSchema = modifier('response', 'Route');

/** Of requests to one backend. */
export const backendRequestHeaderModifierSchema = modifier('request', 'ClusterWeight');

/** Of responses of one backend. */
export const backendResponseHeaderModifierSchema = modifier('response', 'ClusterWeight');

/** A header modifier after defaults. */
export type HeaderModifier = Static<typeof requestHeaderModifierSchema>;

function headerEdits(modifier: HeaderModifier): readonly Patch<HeaderValueOption>[] {
  const edit =
    (appendAction: HeaderValueOption['appendAction']) =>
    (header: { readonly name: string; readonly value: string }) => ({
      header: { key: header.name, value: literal(header.value) },
      appendAction,
    });
  return [
    ...(modifier.set ?? []).map(edit(AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...(modifier.add ?? []).map(edit(AppendAction.APPEND_IF_EXISTS_OR_ADD)),
  ];
}

const invalid = (path: string, message: string): Result<never> => err([{ path, reason: 'Invalid', message }]);

/** Envoy refuses to change the host as a header, and values that would end the header. */
function checked(key: string, config: HeaderModifier): Result<HeaderModifier> {
  const edits = [...(config.set ?? []), ...(config.add ?? [])];
  const names = [...edits.map((header) => header.name), ...(config.remove ?? [])];
  const host = names.find((one) => one.toLowerCase() === 'host');
  if (host !== undefined)
    return invalid(key, `\`${key}\` must not change header '${host}'; use the \`hostname\` of a URLRewrite filter`);
  const broken = edits.find((header) => breaksHeader(header.value));
  if (broken === undefined) return ok(config);
  return invalid(key, `\`${key}\` must not give header '${broken.name}' a value with a line break or a NUL character`);
}

/** A rule that looks at a header which it changes cannot be told by that header any more. */
function changed(modifier: HeaderModifier, request: RequestOnTheWay): RequestOnTheWay | undefined {
  const names = [...(modifier.set ?? []), ...(modifier.add ?? [])].map((header) => header.name);
  const touched = [...names, ...(modifier.remove ?? [])].some((name) => request.lookedAt.includes(name.toLowerCase()));
  return touched ? undefined : request;
}

const requestEdits = (modifier: HeaderModifier) => ({
  requestHeadersToAdd: headerEdits(modifier),
  requestHeadersToRemove: modifier.remove ?? [],
});

const responseEdits = (modifier: HeaderModifier) => ({
  responseHeadersToAdd: headerEdits(modifier),
  responseHeadersToRemove: modifier.remove ?? [],
});

/** Headers of requests. */
export const requestHeaderModifier = defineFeature<'requestHeaderModifier', HeaderModifier, HeaderModifier>({
  key: 'requestHeaderModifier',
  summary: 'Set, add and remove headers of requests.',
  compile: (config) => checked('requestHeaderModifier', config),
  onRoute: (config) => ({ route: requestEdits(config) }),
  onRequest: changed,
  onBackend: requestEdits,
});

/** Headers of responses. */
export const responseHeaderModifier = defineFeature<'responseHeaderModifier', HeaderModifier, HeaderModifier>({
  key: 'responseHeaderModifier',
  summary: 'Set, add and remove headers of responses.',
  compile: (config) => checked('responseHeaderModifier', config),
  onRoute: (config) => ({ route: responseEdits(config) }),
  onBackend: responseEdits,
});
