// The closed vocabulary of status: condition types and reasons, each with one line that explains it.
// `docs/reference/conditions.md` is made from these tables; they are public API.

/** Condition types, in the order in which status lists them. */
export const conditionTypes = {
  Ready: 'Summary for kstatus, `kubectl wait` and Helm; copies the decisive condition.',
  Accepted: 'The object is valid, owned by Legation and allowed to attach.',
  ResolvedRefs: 'Every reference exists and is permitted.',
  Programmed: 'Every proxy in reach acknowledged this generation.',
  PartiallyInvalid: 'Some rules were dropped, the rest is live. Present only while True.',
  Conflicted: 'Lost some or all of its ground to an older or more specific object. Present only while True.',
  Degraded: 'Live, but weaker than written. Present only while True.',
  Auditing: 'Evaluated and counted, not enforced. Present only while True.',
  Reconciling: 'Progress is expected. Present only while True.',
  Stalled: 'Needs a human. Present only while True.',
} as const;
export type ConditionType = keyof typeof conditionTypes;

/** Reasons, with what each means. */
export const reasons = {
  Accepted: 'The object is in force.',
  Invalid: 'A rule of the schema or of the controller failed; the message names the field.',
  UnsupportedValue: 'A value that this version does not compile; nothing of it is in force.',
  NotAllowedByParent: 'The parent does not admit this route.',
  NoMatchingParent: 'The parent named by `parentRefs` does not exist.',
  TargetNotFound: 'The target named by `targetRefs` does not exist.',
  ProtocolMismatch:
    'Two objects ask for different protocols on one port, which the older one keeps; or a provider has a port without gRPC.',
  OverriddenByTrafficRoute: 'A TrafficRoute owns the same Service port.',
  Conflicted: 'Every rule lost against an older object, or the port is owned by a GRPCRoute.',
  ResolvedRefs: 'Every reference exists and is permitted.',
  BackendNotFound: 'A backend Service does not exist; its share of requests answers 500.',
  PortNotFound: 'A backend Service has no such port; its share of requests answers 500.',
  InvalidKind: 'A reference names a kind that cannot be used there.',
  RefNotPermitted: 'No ReferenceGrant permits a reference into another namespace.',
  DeliveryObjectNotFound:
    'The Rollout or Canary of `weightsFrom` is not there, or splits between other Services; weights of the spec are in force.',
  ProviderNotFound: 'No provider of that name and of a fitting type is in reach; what names it is not in force.',
  FallbackActive: 'What is written is not possible here; the message says what holds in its place.',
  NotEnforced: 'The policy is in mode Audit; the message names the metrics of proxies that count what it would refuse.',
  Programmed: 'All proxies in reach acknowledged this generation.',
  PartiallyProgrammed: 'Almost all proxies acknowledged; a few are silent.',
  NoProxies: 'No connected proxy needs this object.',
  Pending: 'Waiting for the controller.',
  InternalError: 'Legation failed to compile the object: a bug worth reporting.',
  Reconciling: 'Configuration is being delivered.',
  Overridden: 'Every block of the policy is overridden by others: nothing of it is in force.',
  RejectedByProxy: 'Envoy refused the configuration; the message quotes it.',
  UnsupportedByProxy: 'Some proxies run an Envoy that is too old for it; the message says what they do instead.',
  OlderWins: 'Another policy of the same level, an older one, says the same part.',
  VersionGate: 'Some Envoys in reach are too old for a part of the object; the message counts them.',
  RuleOverlap: 'A rule can never match, because another one with the same matches comes first.',
  DuplicateObject: 'Another document defines the same object; the first by path and position holds.',
  Unparsable: 'The document is not valid YAML, or not an object; the last good version stays in force.',
  Ignored: 'A value has no effect here and is not refused for compatibility; a warning says so.',
} as const;
export type Reason = keyof typeof reasons;

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** One condition as Kubernetes shows it. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339; moves only when `status` flips. */
  readonly lastTransitionTime: string;
}

const order = Object.keys(conditionTypes);

/** `conditions` with one set or replaced; the transition time moves only when the status flips. */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): readonly Condition[] {
  const previous = conditions.find((condition) => condition.type === next.type);
  const lastTransitionTime = previous?.status === next.status ? previous.lastTransitionTime : now;
  return [...conditions.filter((condition) => condition.type !== next.type), { ...next, lastTransitionTime }].sort(
    (left, right) => order.indexOf(left.type) - order.indexOf(right.type),
  );
}
