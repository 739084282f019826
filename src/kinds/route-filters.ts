// The filters of route rules and of backends: unions over the filter features. Knows no feature's inside.

import { filterTypesRule, unionRule } from '../api/rules.js';
import { list, object, oneOf, type Static } from '../api/schema.js';
import { corsSchema } from '../features/cors.js';
import { directResponseSchema } from '../features/direct-response.js';
import { faultListRule, faultSchema } from '../features/fault.js';
import {
  backendRequestHeaderModifierSchema,
  backendResponseHeaderModifierSchema,
  requestHeaderModifierSchema,
  responseHeaderModifierSchema,
} from '../features/header-modifiers.js';
import { requestMirrorSchema } from '../features/request-mirror.js';
import { requestRedirectSchema } from '../features/request-redirect.js';
import { urlRewriteSchema } from '../features/url-rewrite.js';

/** Filter types and the member that each one sets. */
export const filterMembers = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
  DirectResponse: 'directResponse',
  Fault: 'fault',
} as const;

const { RequestHeaderModifier, ResponseHeaderModifier } = filterMembers;

/** `rules[].filters`. */
export const filtersSchema = list(
  object(
    {
      type: oneOf(
        [
          'RequestHeaderModifier',
          'ResponseHeaderModifier',
          'RequestMirror',
          'RequestRedirect',
          'URLRewrite',
          'CORS',
          'DirectResponse',
          'Fault',
        ],
        { doc: 'Names the member that is set.', required: true },
      ),
      requestHeaderModifier: requestHeaderModifierSchema,
      responseHeaderModifier: responseHeaderModifierSchema,
      requestMirror: requestMirrorSchema,
      requestRedirect: requestRedirectSchema,
      urlRewrite: urlRewriteSchema,
      cors: corsSchema,
      directResponse: directResponseSchema,
      fault: faultSchema,
    },
    { doc: 'One thing done to a request.', rules: [unionRule('TR6', 'filter type', filterMembers)] },
  ),
  {},
  {
    doc: 'What is done to requests and answers; each type once, RequestMirror often, Fault twice.',
    rules: [filterTypesRule(['RequestMirror', 'Fault']), faultListRule],
  },
);

/** `rules[].backendRefs[].filters`. */
export const backendFiltersSchema = list(
  object(
    {
      type: oneOf(['RequestHeaderModifier', 'ResponseHeaderModifier'], {
        doc: 'Names the member that is set.',
        required: true,
      }),
      requestHeaderModifier: backendRequestHeaderModifierSchema,
      responseHeaderModifier: backendResponseHeaderModifierSchema,
    },
    {
      doc: 'One thing done to requests to this backend.',
      rules: [unionRule('TR6', 'filter type', { RequestHeaderModifier, ResponseHeaderModifier })],
    },
  ),
  { max: 2 },
  { doc: 'What is done to requests to this backend and to its answers.', rules: [filterTypesRule([])] },
);

/** One filter of a rule after defaults. */
export type RouteFilter = Static<typeof filtersSchema>[number];

/** One filter of a backend after defaults. */
export type BackendFilter = Static<typeof backendFiltersSchema>[number];
