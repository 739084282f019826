// Redirects: the proxy answers with a Location header. Knows no kind.

import {
  RedirectAction_RedirectResponseCode as ResponseCode,
  type RedirectAction,
} from '../gen/envoy/config/route/v3/route_components.js';
import { defineFeature, type Patch } from './feature.js';
import { prefixReplacement, rooted, withSoundPath } from './path-rewrite.js';
import { exactDns, port } from '../api/fields.js';
import { unionRule } from '../api/rules.js';
import { integer, object, oneOf, text, type Static } from '../api/schema.js';

/** `filters[].requestRedirect`. */
export const requestRedirectSchema = object(
  {
    scheme: oneOf(['http', 'https'], {
      doc: 'Scheme of the new location.',
      effective: 'that of the request',
      envoy: 'RedirectAction.scheme_redirect',
    }),
    hostname: exactDns({
      doc: 'Host of the new location.',
      effective: 'that of the request',
      envoy: 'RedirectAction.host_redirect',
    }),
    port: port({
      doc: 'Port of the new location.',
      effective: 'from the new scheme, else the port of the parent',
      envoy: 'RedirectAction.port_redirect',
    }),
    statusCode: integer(
      { min: 301, max: 308 },
      {
        doc: 'Status code of the answer: 301, 302, 303, 307 or 308.',
        default: 302,
        envoy: 'RedirectAction.response_code',
        rules: [
          {
            id: 'statusCode',
            rule: 'self in [301, 302, 303, 307, 308]',
            messageExpression: `"\`statusCode\` must be one of 301, 302, 303, 307, 308, found '%d'".format([self])`,
          },
        ],
      },
    ),
    path: object(
      {
        type: oneOf(['ReplaceFullPath', 'ReplacePrefixMatch'], {
          doc: 'What of the path is replaced.',
          required: true,
        }),
        replaceFullPath: text({ max: 1024 }, { doc: 'The new path.', envoy: 'RedirectAction.path_redirect' }),
        replacePrefixMatch: text(
          { max: 1024 },
          {
            doc: 'Replaces the prefix that matched.',
            envoy: 'RedirectAction.prefix_rewrite',
          },
        ),
      },
      {
        doc: 'Path of the new location.',
        rules: [
          unionRule('TR6', 'path type', {
            ReplaceFullPath: 'replaceFullPath',
            ReplacePrefixMatch: 'replacePrefixMatch',
          }),
        ],
      },
    ),
  },
  { doc: 'Answer with a redirect.' },
);

/** A redirect after defaults. */
export type RequestRedirect = Static<typeof requestRedirectSchema>;

const responseCodes: Readonly<Record<number, ResponseCode>> = {
  301: ResponseCode.MOVED_PERMANENTLY,
  302: ResponseCode.FOUND,
  303: ResponseCode.SEE_OTHER,
  307: ResponseCode.TEMPORARY_REDIRECT,
  308: ResponseCode.PERMANENT_REDIRECT,
};

const schemePorts = { http: 80, https: 443 } as const;

/**
 * As Gateway API derives it: the port given, else that of the new scheme, else that of the parent. Envoy keeps the
 * port of the request's authority unless told otherwise, and drops `:80` where the scheme changes.
 */
function portOf(config: RequestRedirect, parentPort: number): Patch<RedirectAction> {
  const { scheme, hostname, port: given } = config;
  const implied = scheme === undefined ? undefined : schemePorts[scheme];
  const wanted = given ?? implied ?? parentPort;
  const usual = implied ?? (given === undefined ? schemePorts.http : undefined);
  // A new host comes without a port; that of the request names the parent's, or none where that is 80.
  const isSaid = hostname === undefined ? parentPort === 80 || parentPort === wanted : true;
  return wanted === usual && isSaid ? {} : { portRedirect: wanted };
}

function pathOf(
  config: RequestRedirect,
  matched: { readonly value: string; readonly ignoreCase: boolean },
): Patch<RedirectAction> {
  const { path } = config;
  if (path === undefined) return {};
  if (path.type === 'ReplaceFullPath') {
    return { pathRewriteSpecifier: { $case: 'pathRedirect', value: rooted(path.replaceFullPath ?? '') } };
  }
  const replacement = prefixReplacement(matched, path.replacePrefixMatch ?? '');
  return replacement.kind === 'prefix'
    ? { pathRewriteSpecifier: { $case: 'prefixRewrite', value: replacement.value } }
    : { pathRewriteSpecifier: { $case: 'regexRewrite', value: replacement.value } };
}

/** Envoy answers; no backend is asked. */
export const requestRedirect = defineFeature<'requestRedirect', RequestRedirect, RequestRedirect>({
  key: 'requestRedirect',
  summary: 'Answer with a redirect.',
  compile: (config) => withSoundPath('requestRedirect', config),
  onRoute: (config, route) => {
    const responseCode = responseCodes[config.statusCode] ?? ResponseCode.FOUND;
    const scheme: Patch<RedirectAction> =
      config.scheme === undefined ? {} : { schemeRewriteSpecifier: { $case: 'schemeRedirect', value: config.scheme } };
    return {
      answer: {
        kind: 'redirect',
        action: {
          responseCode,
          ...scheme,
          ...(config.hostname === undefined ? {} : { hostRedirect: config.hostname }),
          ...portOf(config, route.port),
          ...pathOf(config, route.path),
        },
      },
    };
  },
});
