// The features of traffic management that a user can ask for, one row each. The table in docs/reference/features.md is
// made of these rows and of what the tests showed.

/** A group of rows. */
export interface Group {
  readonly id: string;
  readonly title: string;
}

/** The chapters of the table. */
export const groups: readonly Group[] = [
  { id: '1.1', title: 'Protocols and matching' },
  { id: '1.2', title: 'Splitting, shaping, rewriting' },
  { id: '1.3', title: 'Load balancing and resilience' },
  { id: '1.4', title: 'Rate limits' },
  { id: '1.5', title: 'Discovery and egress' },
  { id: '1.6', title: 'Ownership, policies, telemetry, extensions' },
];

/** What is seen from outside: who answered, when, how often, which bytes, or what is told of it. */
export type Proof = 'who' | 'when' | 'how often' | 'bytes' | 'told';

interface Shape {
  /** `M`: a must. `S`: should be there. */
  readonly bar: 'M' | 'S';
  readonly proof: Proof;
  readonly title: string;
}

const must = (proof: Proof, title: string): Shape => ({ bar: 'M', proof, title });
const should = (proof: Proof, title: string): Shape => ({ bar: 'S', proof, title });

const table = {
  '1.1-http': must('bytes', 'HTTP/1.1 and HTTP/2 are routed, and spoken on as they came'),
  '1.1-grpc': must('who', 'gRPC by service and method'),
  '1.1-tcp': must('who', 'TCP, also split by weight'),
  '1.1-sni': should('who', 'TLS passed through by server name'),
  '1.1-path': must('who', 'Path: exact, by prefix of segments, by expression'),
  '1.1-headers': must('who', 'Headers: exact, prefix, suffix, contains, expression, present, and each inverted'),
  '1.1-query-method': must('who', 'Query parameters and method'),
  '1.1-cookie': should('who', 'Cookies'),
  '1.1-ignore-case': should('who', 'Paths in any case'),
  '1.1-host-port': must('who', 'Host names, wildcards among them, and ports'),
  '1.1-source': must('who', 'The calling workload: labels, namespace, address'),
  '1.1-rule-names': must('told', 'Rules have names, which statistics show; logs: see access logs'),
  '1.1-precedence': must('who', 'One rule of precedence: that of the most specific match'),

  '1.2-weights': must('how often', 'Split by weight'),
  '1.2-subset': must('who', 'Subsets by pod label, without further Services'),
  '1.2-canary': must('who', 'Canary by header or cookie'),
  '1.2-mirror': must('how often', 'Mirror by percentage, and to several targets'),
  '1.2-fault': must('when', 'Faults: delay and abort, HTTP and gRPC, also together with retries'),
  '1.2-fault-bandwidth': should('when', 'Fault: bandwidth'),
  '1.2-timeout': must('when', 'Timeout of a request'),
  '1.2-timeouts': must('when', 'Timeouts: per try, idle, stream'),
  '1.2-lifetime': must('when', 'Lifetime of a connection'),
  '1.2-retry': must('how often', 'Retries: count, conditions, back-off'),
  '1.2-retry-budget': must('how often', 'Retry budget'),
  '1.2-retry-hosts': should('who', 'Retries avoid hosts that were tried'),
  '1.2-retry-after': should('when', 'Retries wait as long as Retry-After says'),
  '1.2-hedging': should('how often', 'Hedged requests'),
  '1.2-rewrite-path': must('bytes', 'Rewrite of the path: prefix, whole, by expression'),
  '1.2-rewrite-host': must('bytes', 'Rewrite of the host'),
  '1.2-redirect': must('bytes', 'Redirect: scheme, host, port, path, 301 to 308'),
  '1.2-direct-response': must('bytes', 'Direct response'),
  '1.2-cors': must('bytes', 'CORS'),
  '1.2-header-edits': must('bytes', 'Header edits of requests and responses, per route and per backend'),
  '1.2-size-compression': should('bytes', 'Limit of the size of requests; compression'),
  '1.2-delegation': must('who', 'Delegation of rules to other namespaces'),
  '1.2-owners': must('who', 'Several routes for one Service'),
  '1.2-overlap': must('told', 'Rules that overlap or can never match are told'),
  '1.2-delivery-tools': must('how often', 'Weights from Argo Rollouts and Flagger'),

  '1.3-algorithms': must('how often', 'Round robin, least request, random'),
  '1.3-hash': must('who', 'Consistent hashing by header, cookie, source, query'),
  '1.3-session': should('who', 'Session persistence that survives scaling'),
  '1.3-locality': must('how often', 'Weights by locality'),
  '1.3-zone': should('how often', 'Own zone first, with spill-over'),
  '1.3-failover': must('who', 'Failover by priority'),
  '1.3-outlier': must('who', 'Outlier detection'),
  '1.3-breakers': must('how often', 'Circuit breakers: connections, pending, requests, retries'),
  '1.3-fallback': should('who', 'A fallback backend when the others are gone'),
  '1.3-slow-start': must('how often', 'Slow start'),
  '1.3-panic': must('who', 'Panic threshold'),
  '1.3-health': must('who', 'Active health checks: HTTP, gRPC, TCP'),
  '1.3-pools': must('how often', 'Connection pools and keep-alive'),
  '1.3-h2-upstream': must('bytes', 'h2c to the server, and the protocol of the client'),
  '1.3-h2-options': should('bytes', 'Windows and streams of HTTP/2'),
  '1.3-upgrades': must('bytes', 'WebSocket'),
  '1.3-connect': must('bytes', 'CONNECT and other upgrades'),
  '1.3-proxy-protocol': should('bytes', 'PROXY protocol to the server'),
  '1.3-defaults': must('how often', 'Retry and timeout defaults of mesh, namespace and Service, merged by specificity'),

  '1.4-local': must('how often', 'Local rate limit'),
  '1.4-per-caller': must('how often', 'Local rate limit per caller: namespace or address'),
  '1.4-per-route': must('how often', 'Local rate limit per route'),
  '1.4-connections': should('how often', 'Rate limit of connections'),
  '1.4-open-connections': should('how often', 'Limit of open connections'),
  '1.4-global': should('how often', 'Global rate limit by a rate limit service'),
  '1.4-shadow-headers': should('bytes', 'Shadow mode and RateLimit headers'),

  '1.5-hosts': must('who', 'External hosts as destinations'),
  '1.5-wildcard-hosts': must('who', 'External hosts by wildcard'),
  '1.5-egress-default': must('who', 'Default of egress: allow or deny'),
  '1.5-tls-origination': must('bytes', 'TLS to external hosts, with SNI and CA'),
  '1.5-endpoints': must('who', 'EndpointSlices: ready, serving, terminating'),
  '1.5-headless': must('who', 'Headless Services and StatefulSets'),
  '1.5-external-name': must('who', 'ExternalName Services'),
  '1.5-protocol': must('bytes', 'Protocol by appProtocol and by the name of the port'),
  '1.5-detection': must('when', 'Detection of the protocol, bounded in time, where nothing names it'),
  '1.5-protocol-policy': should('bytes', 'Protocol of a port of a pod, said by a policy'),
  '1.5-server-first': must('bytes', 'Protocols in which the server speaks first'),
  '1.5-ipv6': should('who', 'IPv6'),

  '1.6-invalid-backend': must(
    'how often',
    'A backend that does not resolve answers 500 for its share, one without endpoints 503',
  ),
  '1.6-grants': must('who', 'Backends of other namespaces by ReferenceGrant, granted and withdrawn'),
  '1.6-gamma': must('who', 'HTTPRoute on a Service: of the producer for all, of a consumer for its own namespace'),
  '1.6-grpcroute': must('who', 'GRPCRoute on a Service'),
  '1.6-attachment': must(
    'told',
    'Policies of mesh, namespace, Service, workload, route and rule; the merged policy can be read',
  ),
  '1.6-metrics': must('told', 'Metrics by source, destination, rule and response flag'),
  '1.6-access-logs': must('told', 'Access logs: JSON or text, by level, sample, filter and sink'),
  '1.6-traces': must('told', 'Traces over OTLP and Zipkin'),
  '1.6-events': should('told', 'Events of outlier detection and of health checks'),
  '1.6-lua': should('bytes', 'Lua behind its gate'),
  '1.6-ext-proc': should('bytes', 'External processing behind its gate'),
  '1.6-patches': should('bytes', 'Typed patches behind their gate'),
  '1.6-wasm': should('bytes', 'Wasm behind its gate'),
} as const satisfies Readonly<Record<string, Shape>>;

/** Names a row. */
export type RowId = keyof typeof table;

/** A row. */
export interface Row extends Shape {
  readonly id: RowId;
}

/** All rows, in the order of the table. */
export const rows: readonly Row[] = Object.entries(table).map(([id, shape]) => ({ id: id as RowId, ...shape }));
