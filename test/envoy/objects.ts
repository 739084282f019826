// Kubernetes objects for tests, as plain values: what a user would write, without the repetition. Namespaces carry the
// process id, so that two runs on one machine do not choose the same loopback addresses.

/** An object as it is written into a folder; JSON is YAML. */
export type Written = Readonly<Record<string, unknown>>;

/** A namespace of this run alone. */
export const ownNamespace = (stem: string): string => `${stem}-${process.pid.toString(36)}`;

/** A file with these objects. */
export const fileOf = (objects: readonly Written[]): string =>
  objects.map((object) => `---\n${JSON.stringify(object, undefined, 1)}\n`).join('');

/** Pods of one workload; each has one port, 8080. */
export const deployment = (
  namespace: string,
  name: string,
  options: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly replicas?: number;
    readonly port?: number;
    readonly nodeName?: string;
  } = {},
): Written => {
  const labels = options.labels ?? { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
          containers: [{ name: 'app', image: 'app', ports: [{ containerPort: options.port ?? 8080 }] }],
        },
      },
    },
  };
};

/** A Service; one port, 80 to 8080, unless ports are given. */
export const service = (
  namespace: string,
  name: string,
  options: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly Readonly<Record<string, unknown>>[];
  } = {},
): Written => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace, name },
  spec: {
    ...(options.selector === undefined ? {} : { selector: options.selector }),
    ports: options.ports ?? [{ name: 'http', port: 80, targetPort: 8080 }],
  },
});

/** A TrafficRoute on Services of its own namespace. */
export const trafficRoute = (
  namespace: string,
  name: string,
  spec: {
    readonly parent: string;
    readonly rules: readonly Written[];
    readonly hostnames?: readonly string[];
    readonly protocol?: string;
  },
): Written => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'TrafficRoute',
  metadata: { namespace, name },
  spec: {
    parentRefs: [{ name: spec.parent }],
    ...(spec.hostnames === undefined ? {} : { hostnames: spec.hostnames }),
    ...(spec.protocol === undefined ? {} : { protocol: spec.protocol }),
    rules: spec.rules,
  },
});

/** An HTTPRoute with a Service parent. */
export const httpRoute = (
  namespace: string,
  name: string,
  spec: { readonly parent: string; readonly parentNamespace?: string; readonly rules: readonly Written[] },
): Written => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { namespace, name },
  spec: {
    parentRefs: [
      {
        group: '',
        kind: 'Service',
        name: spec.parent,
        port: 80,
        ...(spec.parentNamespace === undefined ? {} : { namespace: spec.parentNamespace }),
      },
    ],
    rules: spec.rules,
  },
});

/** A rule that is answered by the proxy with this text. */
export const answering = (body: string, rule: Written = {}): Written => ({
  ...rule,
  filters: [{ type: 'DirectResponse', directResponse: { statusCode: 200, body } }],
});

/** A backend on port 80. */
export const to = (name: string, more: Written = {}): Written => ({ name, port: 80, ...more });

/** A match of the path prefix. */
export const prefix = (value: string): Written => ({ path: { type: 'PathPrefix', value } });
