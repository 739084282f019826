// Services that proxies ask or report to: authorizers, rate limits, processors, collectors. Knows no kind.

import { dur, label, name, port, servicePortRule } from '../api/fields.js';
import { list, object, oneOf, text, type Static } from '../api/schema.js';

/** `providers`. */
export const providersSchema = list(
  object(
    {
      name: label({ doc: 'Name that other blocks use.', required: true }),
      type: oneOf(['ExtAuthzGRPC', 'ExtAuthzHTTP', 'RateLimit', 'ExtProc', 'OpenTelemetry', 'Zipkin', 'AccessLog'], {
        doc: 'Protocol that it speaks.',
        required: true,
      }),
      backendRef: object(
        {
          kind: oneOf(['Service', 'Host'], { doc: 'Kind of the backend.', default: 'Service' }),
          name: name({ doc: 'Name of the backend.', required: true, envoy: 'cluster of the backend' }),
          namespace: label({ doc: 'Namespace of the backend; another one needs a ReferenceGrant.', effective: 'own' }),
          port: port({ doc: 'Port of the Service.' }),
        },
        { doc: 'Where it runs.', required: true, rules: [servicePortRule] },
      ),
      path: text(
        { max: 1024 },
        {
          doc: 'Path prefix of ExtAuthzHTTP, endpoint of Zipkin.',
          effective: 'none',
          envoy: 'path_prefix, collector_endpoint',
        },
      ),
      timeout: dur(
        { min: '10ms', max: '10s' },
        {
          doc: 'Time for an answer.',
          default: '500ms',
          envoy: 'GrpcService.timeout, HttpUri.timeout',
        },
      ),
      onError: oneOf(['Deny', 'Allow'], {
        doc: 'What happens to requests when it does not answer; not for telemetry.',
        effective: 'Deny',
        envoy: 'failure_mode_allow, failure_mode_deny',
      }),
    },
    {
      doc: 'A provider.',
      rules: [
        {
          id: 'providers',
          rule: "!has(self.onError) || !(self.type in ['OpenTelemetry', 'Zipkin', 'AccessLog'])",
          messageExpression: `"provider '%s' of type '%s' must not set \`onError\`; telemetry never stops a request".format([self.name, self.type])`,
        },
      ],
    },
  ),
  { keys: ['name'] },
  { doc: 'Services that other blocks refer to by name.', change: 'F' },
);

/** Providers after defaults. */
export type Providers = Static<typeof providersSchema>;
