// Rewriting of host and path before the request is forwarded. Knows no kind.

import type { RouteAction } from '../gen/envoy/config/route/v3/route_components.js';
import { RE2JS } from 're2js';
import { err, type Result } from '../lib/result.js';
import { escapeSubstitution } from './envoy-values.js';
import { defineFeature, type Patch, type RequestOnTheWay } from './feature.js';
import { prefixReplacement, rooted, withSoundPath } from './path-rewrite.js';
import { exactDns, re2 } from '../api/fields.js';
import { object, oneOf, text, type Static } from '../api/schema.js';

/** `filters[].urlRewrite`. */
export const urlRewriteSchema = object(
  {
    hostname: exactDns({ doc: 'The host that the backend sees.', envoy: 'RouteAction.host_rewrite_literal' }),
    path: object(
      {
        type: oneOf(['ReplaceFullPath', 'ReplacePrefixMatch', 'RegularExpression'], {
          doc: 'What of the path is replaced.',
          required: true,
        }),
        replaceFullPath: text(
          { max: 1024 },
          {
            doc: 'The new path.',
            envoy: 'RouteAction.regex_rewrite of the whole path',
          },
        ),
        replacePrefixMatch: text(
          { max: 1024 },
          {
            doc: 'Replaces the prefix that matched.',
            envoy: 'RouteAction.prefix_rewrite',
          },
        ),
        pattern: re2({
          doc: 'Regular expression (RE2) for the part of the path to replace.',
          envoy: 'RouteAction.regex_rewrite.pattern',
        }),
        substitution: text(
          { max: 1024 },
          {
            doc: 'The replacement; \\1 to \\9 are the groups of `pattern`.',
            envoy: 'RouteAction.regex_rewrite.substitution',
          },
        ),
      },
      {
        doc: 'The path that the backend sees.',
        rules: [
          {
            id: 'TR6',
            rule: "has(self.replaceFullPath) == (self.type == 'ReplaceFullPath') && has(self.replacePrefixMatch) == (self.type == 'ReplacePrefixMatch') && has(self.pattern) == (self.type == 'RegularExpression') && has(self.substitution) == (self.type == 'RegularExpression')",
            messageExpression: `"path type '%s' must set %s and nothing else".format([self.type, {'ReplaceFullPath': '\`replaceFullPath\`', 'ReplacePrefixMatch': '\`replacePrefixMatch\`', 'RegularExpression': '\`pattern\` and \`substitution\`'}[self.type]])`,
          },
        ],
      },
    ),
  },
  { doc: 'Change host and path before the request is forwarded.' },
);

/** A rewrite after defaults. */
export type UrlRewrite = Static<typeof urlRewriteSchema>;

function pathOf(
  config: UrlRewrite,
  matched: { readonly value: string; readonly ignoreCase: boolean },
): Patch<RouteAction> {
  const { path } = config;
  if (path === undefined) return {};
  switch (path.type) {
    case 'ReplaceFullPath':
      return {
        regexRewrite: {
          pattern: { regex: '^/.*$' },
          substitution: escapeSubstitution(rooted(path.replaceFullPath ?? '')),
        },
      };
    case 'RegularExpression':
      return { regexRewrite: { pattern: { regex: path.pattern ?? '' }, substitution: path.substitution ?? '' } };
    case 'ReplacePrefixMatch': {
      const replacement = prefixReplacement(matched, path.replacePrefixMatch ?? '');
      return replacement.kind === 'prefix' ? { prefixRewrite: replacement.value } : { regexRewrite: replacement.value };
    }
  }
}

/** The path that a receiver sees; undefined where it could have been any. */
function rewritten({ path: config }: UrlRewrite, path: RequestOnTheWay['path']): RequestOnTheWay['path'] | undefined {
  switch (config?.type) {
    case undefined:
      return path;
    case 'ReplaceFullPath':
      return { kind: 'exact', value: rooted(config.replaceFullPath ?? '').replace(/[?].*$/, ''), ignoreCase: false };
    case 'ReplacePrefixMatch':
      return { kind: 'prefix', value: rooted(config.replacePrefixMatch ?? ''), ignoreCase: false };
    case 'RegularExpression':
      return undefined;
  }
}

/** Envoy takes a substitution of groups that are not there, and then rewrites nothing. */
function checked(config: UrlRewrite): Result<UrlRewrite> {
  const { pattern, substitution } = config.path ?? {};
  if (pattern === undefined || substitution === undefined) return withSoundPath('urlRewrite', config);
  const groups = RE2JS.compile(pattern).groupCount();
  const odd = [...substitution.matchAll(/\\(.?)/gs)].find(
    ([, escaped = '']) => escaped !== '\\' && !(/[0-9]/.test(escaped) && Number(escaped) <= groups),
  );
  if (odd === undefined) return withSoundPath('urlRewrite', config);
  const allowed = groups === 0 ? '\\0' : `\\0 to \\${String(groups)}`;
  const message = `\`substitution\` must not hold '${odd[0]}'; \`pattern\` allows ${allowed}, and \\\\ for a backslash`;
  return err([{ path: 'urlRewrite.path.substitution', reason: 'Invalid', message }]);
}

/** What the backend sees of host and path. */
export const urlRewrite = defineFeature<'urlRewrite', UrlRewrite, UrlRewrite>({
  key: 'urlRewrite',
  summary: 'Change host and path before the request is forwarded.',
  compile: checked,
  onRoute: (config, route) => {
    const host: Patch<RouteAction> =
      config.hostname === undefined
        ? {}
        : { hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: config.hostname } };
    return { forward: { ...host, ...pathOf(config, route.path) } };
  },
  onRequest: (config, request) => {
    const path = rewritten(config, request.path);
    return path === undefined ? undefined : { ...request, path, host: config.hostname ?? request.host };
  },
});
