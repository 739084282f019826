// What is said of calls to a port of a pod: by policies that reach it, by rules whose requests arrive there, and by
// policies on those rules. Equal answers are one object.

import { silent } from '../features/feature.js';
import type { Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised } from '../lib/memo.js';
import { isHttp, type InboundPort, type InboundService, type PolicyInForce, type Protocol } from '../model/mesh.js';
import type { Rule, RuleMark } from '../model/mesh.js';
import type { Arrivals } from './arrivals.js';
import { limitedRule, limitsAt, limitSomething, noLimits, type LimitedRule } from './limits.js';
import type { PolicyIndex, ServicePortOfPod } from './policies.js';
import { inboundPoliciesOf, type LimitsInForce } from './policies-in-force.js';
import { mergePolicies } from './policy-merge.js';
import type { PolicyAttachment } from './policy.js';
import { protocolSaid } from './protocol.js';
import { providersInReach } from './providers.js';
import type { ServiceReferents } from './references.js';

/** What is said of calls to one inbound port. */
export type Inbound = Pick<InboundPort, 'policies' | 'services' | 'marks' | 'protocol'>;

/** What says something of calls to pods. */
export interface Sources {
  readonly policies: PolicyIndex;
  readonly arrivals: Arrivals;
  readonly referents: ServiceReferents;
  readonly pods: World['pods'];
}

/** A port of a pod, and the ports of Services that lead there. */
export interface PortOfPod {
  readonly pod: Pod;
  readonly inbound: Pick<InboundPort, 'port' | 'protocol'>;
  readonly by: readonly ServicePortOfPod[];
}

/** Of ports to which no policy on a rule has anything to say. */
export const noMarks: InboundPort['marks'] = new Map();

const marksOf = memoised((rules: readonly Rule[], limited: readonly LimitedRule[]): InboundPort['marks'] => {
  const marks = limited.map(({ mark }) => mark);
  return new Map(
    rules.flatMap((rule, index): [Rule, RuleMark][] => (marks[index] === undefined ? [] : [[rule, marks[index]]])),
  );
});

/** Rules about which a policy says something where their requests arrive. */
const rulesUnderPolicy = memoised((services: readonly InboundService[]): readonly Rule[] => [
  ...new Set(
    services.flatMap(({ hosts }) =>
      hosts.flatMap(({ entries }) => entries.flatMap(({ rule }) => (rule.heldByPolicy === true ? [rule] : []))),
    ),
  ),
]);

/** What is spoken, as an object that can be an argument of a memo. */
interface Speaks {
  readonly protocol: Protocol;
}

const speaks = createInterner<Speaks>(10);

/** A policy knows better than what the port is called, and a route knows that requests are sent there. */
function protocolAt(
  { port, protocol }: PortOfPod['inbound'],
  reaching: readonly PolicyAttachment[],
  services: readonly InboundService[],
): Protocol {
  const said = mergePolicies(reaching).blocks.inbound?.ports?.find((one) => one.port === port);
  if (said !== undefined) return protocolSaid[said.protocol];
  return services.length === 0 || isHttp(protocol) ? protocol : 'auto';
}

/** Streams of gRPC never begin where bodies are buffered. */
const fitting = memoised((policies: readonly PolicyInForce[], { protocol }: Speaks): readonly PolicyInForce[] =>
  protocol === 'grpc'
    ? policies.map((one) => (one.feature.key === 'maxRequestBytes' ? { ...one, feature: silent } : one))
    : policies,
);

type Particulars = Pick<InboundPort, 'marks' | 'protocol'>;

const particularsOf = memoised((marks: InboundPort['marks'], { protocol }: Speaks): Particulars => ({
  marks,
  protocol,
}));

const inboundFor = memoised(
  (policies: readonly PolicyInForce[], services: readonly InboundService[], more: Particulars): Inbound => ({
    policies,
    services,
    ...more,
  }),
);

/** Who calls a port, and what can be asked about its calls. */
interface Calls {
  readonly services: readonly InboundService[];
  readonly referents: ServiceReferents;
}

const callsOf = memoised((services: Calls['services'], referents: ServiceReferents): Calls => ({
  services,
  referents,
}));

/** What is said of a port, but for its limits. */
interface Around extends Calls {
  readonly inbound: PortOfPod['inbound'];
  readonly reaching: readonly PolicyAttachment[];
}

function saidOf(around: Around, limits: LimitsInForce, marks: InboundPort['marks']): Inbound {
  const { inbound, reaching, services, referents } = around;
  const protocol = protocolAt(inbound, reaching, services);
  const spoken = speaks(protocol, () => ({ protocol }));
  const policies = inboundPoliciesOf(reaching, limits, providersInReach(reaching, referents));
  return inboundFor(fitting(policies, spoken), services, particularsOf(marks, spoken));
}

/** Most ports have no limits: they are known at once. */
const unlimited = memoised((inbound: Around['inbound'], reaching: Around['reaching'], calls: Calls): Inbound =>
  saidOf({ inbound, reaching, ...calls }, noLimits, noMarks),
);

const internLimited = listInterner<LimitedRule>();

/** Everything that is said of a port. */
export function inboundAt({ pod, inbound, by }: PortOfPod, sources: Sources): Inbound {
  const { policies, arrivals, pods, referents } = sources;
  const reaching = policies.reachingPod(pod, by);
  const services = arrivals.at(by);
  const rules = rulesUnderPolicy(services);
  if (rules.length === 0 && !limitSomething(reaching).yes)
    return unlimited(inbound, reaching, callsOf(services, referents));
  const limited = internLimited(rules.map((rule) => limitedRule(rule, policies.onRoute(rule.origin.ref, rule.name))));
  const limits = limitsAt(reaching, limited, { pod, pods, referents });
  const marks = rules.length === 0 ? noMarks : marksOf(rules, limited);
  return saidOf({ inbound, reaching, services, referents }, limits, marks);
}
