// Code and patches of the user inside Envoy, behind a feature gate. A union by name. Knows no kind.

import { glob, httpsUrl, label } from '../api/fields.js';
import { unionRule } from '../api/rules.js';
import { freeForm, list, object, oneOf, text, type Static } from '../api/schema.js';

const wasmSchema = object(
  {
    url: httpsUrl({
      doc: 'Where the module is; fetched by the control plane.',
      required: true,
      envoy: 'VmConfig.code.remote',
    }),
    sha256: text(
      { max: 64, pattern: '^[0-9a-f]{64}$' },
      { doc: 'Hash of the module.', required: true, envoy: 'RemoteDataSource.sha256' },
    ),
  },
  { doc: 'A WebAssembly module.' },
);

const extProcSchema = object(
  {
    provider: label({ doc: 'Provider that processes.', required: true, envoy: 'ExternalProcessor.grpc_service' }),
    send: list(
      oneOf(['RequestHeaders', 'RequestBody', 'ResponseHeaders', 'ResponseBody'], { doc: 'A part.' }),
      {},
      {
        doc: 'Parts that the provider gets.',
        default: ['RequestHeaders'],
        envoy: 'ExternalProcessor.processing_mode',
      },
    ),
  },
  { doc: 'An external processor.' },
);

const patchSchema = object(
  {
    hook: oneOf(['Listener', 'HttpConnectionManager', 'VirtualHost', 'Route', 'Cluster'], {
      doc: 'Message that is merged into.',
      required: true,
      envoy: 'the named message',
    }),
    match: glob({ doc: 'Resource names.', default: '*', envoy: 'resource name' }),
    value: freeForm(16_384, {
      doc: 'The message as JSON, up to 16 KiB; unknown and deprecated fields are refused.',
      required: true,
      envoy: 'the named message',
    }),
    minEnvoyVersion: text(
      { max: 7, pattern: '^[0-9]{1,3}[.][0-9]{1,3}$' },
      {
        doc: 'Older proxies do not get the patch and are counted.',
        effective: 'any',
      },
    ),
  },
  { doc: 'A typed merge on one named message.', change: 'varies' },
);

/** `extensions`. */
export const extensionsSchema = list(
  object(
    {
      name: label({ doc: 'Name of the extension.', required: true, envoy: 'slot mesh.ext.<n>' }),
      type: oneOf(['Lua', 'Wasm', 'ExtProc', 'Patch'], {
        doc: 'Names the member that is set.',
        required: true,
        change: 'F,L at first use',
      }),
      direction: oneOf(['Inbound', 'Outbound', 'Both'], {
        doc: 'Which traffic passes it.',
        default: 'Inbound',
        change: 'L',
      }),
      stage: oneOf(['BeforeAuthz', 'AfterAuthz', 'BeforeRouter'], {
        doc: 'Place in the order of filters.',
        default: 'BeforeRouter',
        change: 'L',
        envoy: 'filter order',
      }),
      onError: oneOf(['Deny', 'Ignore'], {
        doc: 'What happens to requests when it fails; Lua can only ignore.',
        effective: 'Deny; Lua Ignore; Patch none',
        envoy: 'failure_policy, failure_mode_allow',
      }),
      config: freeForm(16_384, {
        doc: 'Handed to the code, up to 16 KiB.',
        effective: 'none',
        change: 'F,R',
        envoy: 'LuaPerRoute.filter_context, PluginConfig.configuration, gRPC metadata',
      }),
      lua: text({ min: 1, max: 65_536 }, { doc: 'Source of a Lua script.', envoy: 'Lua.default_source_code' }),
      wasm: wasmSchema,
      extProc: extProcSchema,
      patch: patchSchema,
    },
    {
      doc: 'An extension.',
      rules: [
        {
          ...unionRule('MP15', '', { Lua: 'lua', Wasm: 'wasm', ExtProc: 'extProc', Patch: 'patch' }),
          messageExpression: `"extension '%s' of type '%s' must set \`%s\` and nothing else".format([self.name, self.type, {'Lua': 'lua', 'Wasm': 'wasm', 'ExtProc': 'extProc', 'Patch': 'patch'}[self.type]])`,
        },
        {
          id: 'MP15',
          rule: "!has(self.onError) || self.type in ['Wasm', 'ExtProc'] || (self.type == 'Lua' && self.onError == 'Ignore')",
          messageExpression: `"extension '%s' of type '%s' %s".format([self.name, self.type, self.type == 'Lua' ? "may only set \`onError\` to 'Ignore'" : 'must not set \`onError\`'])`,
        },
      ],
    },
  ),
  { max: 4, keys: ['name'] },
  { doc: 'Experimental: code and patches of your own; needs the verb `extend`.', change: 'F' },
);

/** Extensions after defaults. */
export type Extensions = Static<typeof extensionsSchema>;
