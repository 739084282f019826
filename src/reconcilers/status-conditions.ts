// Findings and deliveries to the conditions of each object. Pure. The decisive condition is copied to Ready.

import type { Condition, ConditionType, Reason } from '../api/conditions.js';
import type { ObjectRef } from '../api/meta.js';
import type { Rejection } from '../model/delivery.js';
import type { Finding } from '../model/finding.js';

/** How far the delivery of an object is. */
export interface DeliveryCounts {
  readonly total: number;
  readonly acknowledged: number;
  readonly latched: boolean;
  readonly tookMs: number | undefined;
  readonly waitedMs: number;
}

/** Everything that the conditions of one object are made from. */
export interface ConditionInputs {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly findings: readonly Finding[];
  /** Undefined: nothing of the object is delivered. */
  readonly delivery: DeliveryCounts | undefined;
  readonly rejections: readonly Rejection[];
  /** Where each part was written: `spec.rules[2]` for rule `canary`. */
  readonly pathOf: (part: string) => string | undefined;
  /** Content hash of what the object contributes. */
  readonly revision: string;
}

/** A condition before it is known since when it holds. */
export type Draft = Omit<Condition, 'lastTransitionTime'>;
/** A condition without its type and generation. */
type Judged = Omit<Draft, 'observedGeneration' | 'type'>;

/** After this time without all acknowledgements a human should look. */
const stalledAfterMs = 60_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function describePart({ ref, pathOf }: ConditionInputs, part: string | undefined): string {
  if (part === undefined) return 'The object';
  const path = pathOf(part);
  if (ref.kind === 'MeshPolicy') return `\`${path ?? part}\``;
  return path === undefined ? `Rule '${part}'` : `Rule '${part}' (\`${path}\`)`;
}

function rejectedMessage(inputs: ConditionInputs, first: Rejection): string {
  const part = describePart(inputs, first.origin.part);
  const kept = first.kept ? '; its last good version stays in force' : '; it is left out, everything else is live';
  const where = first.envoy === '' ? 'would be rejected by Envoy' : `rejected by Envoy ${first.envoy}`;
  const more = inputs.rejections.length > 1 ? ` (and ${String(inputs.rejections.length - 1)} more)` : '';
  return `${part} ${where}: "${first.message}" (${first.resource})${kept}${more}`;
}

function programmed(inputs: ConditionInputs): Judged {
  const { delivery, revision } = inputs;
  const [rejection] = inputs.rejections;
  const shadowed = negative(inputs.findings, 'Programmed');
  if (shadowed !== undefined) return shadowed;
  if (rejection !== undefined)
    return { status: 'False', reason: 'RejectedByProxy', message: rejectedMessage(inputs, rejection) };
  if (delivery === undefined)
    return { status: 'False', reason: 'Invalid', message: 'Nothing of the object is in force' };
  const counts = `${String(delivery.acknowledged)} of ${String(delivery.total)} proxies acknowledged ${revision}`;
  if (delivery.latched)
    return { status: 'True', reason: 'Programmed', message: `${counts} in ${seconds(delivery.tookMs ?? 0)}` };
  if (delivery.total === 0) return { status: 'True', reason: 'NoProxies', message: 'No proxy is connected' };
  const late = delivery.waitedMs > stalledAfterMs && delivery.acknowledged * 100 >= delivery.total * 95;
  const reason: Reason = late ? 'PartiallyProgrammed' : 'Reconciling';
  return { status: late ? 'True' : 'False', reason, message: counts };
}

const negative = (findings: readonly Finding[], condition: ConditionType): Finding | undefined =>
  findings.find((finding) => finding.condition === condition && finding.status === 'False');

const positive = (findings: readonly Finding[], condition: ConditionType): Finding | undefined =>
  findings.find((finding) => finding.condition === condition && finding.status === 'True');

/** Accepted by one parent is accepted; by none is not. */
function accepted(findings: readonly Finding[]): Judged {
  const whole = findings.find(
    (finding) => finding.condition === 'Accepted' && finding.parent === undefined && finding.status === 'False',
  );
  const decisive = whole ?? positive(findings, 'Accepted') ?? negative(findings, 'Accepted');
  return decisive ?? { status: 'True', reason: 'Accepted', message: 'The object is in force' };
}

/** The members that every condition has of its own. */
export const pick = ({ status, reason, message }: Judged) => ({ status, reason, message });

/** Conditions that are there only while True. */
const abnormal: readonly ConditionType[] = ['PartiallyInvalid', 'Conflicted', 'Degraded', 'Auditing'];

/** What of an object decides whether it is ready. */
interface Verdict {
  readonly accepted: Judged;
  readonly resolved: Judged | undefined;
  readonly programmed: Judged;
  /** The first of these that is not True, or the last. */
  readonly decisive: Judged;
}

function verdictOf(inputs: ConditionInputs): Verdict {
  const { findings } = inputs;
  const base = accepted(findings);
  const resolved = negative(findings, 'ResolvedRefs') ?? positive(findings, 'ResolvedRefs');
  const refused: Judged = { status: 'False', reason: base.reason, message: 'Nothing of the object is in force' };
  const delivered = base.status === 'True' ? programmed(inputs) : refused;
  const failing = [base, resolved].find((one) => one?.status === 'False');
  return { accepted: base, resolved, programmed: delivered, decisive: failing ?? delivered };
}

/** Progress is expected, or a human is needed; neither once all is well. */
function progressOf(inputs: ConditionInputs, verdict: Verdict): readonly [ConditionType, Judged][] {
  const { decisive, programmed: delivered } = verdict;
  if (decisive.status === 'True') return [];
  const waited = inputs.delivery?.waitedMs ?? 0;
  const isFinal = delivered.reason === 'RejectedByProxy' || delivered.reason === 'Overridden';
  const isStuck = verdict.accepted.status !== 'True' || isFinal || waited > stalledAfterMs;
  if (isStuck) return [['Stalled', { ...decisive, status: 'True' }]];
  return delivered.status === 'False' ? [['Reconciling', { ...delivered, status: 'True' }]] : [];
}

/** The conditions of an object, without times. */
export function conditionsOf(inputs: ConditionInputs): readonly Draft[] {
  const verdict = verdictOf(inputs);
  const found = abnormal.flatMap((type): [ConditionType, Judged][] => {
    const finding = positive(inputs.findings, type);
    return finding === undefined ? [] : [[type, finding]];
  });
  const all: readonly (readonly [ConditionType, Judged | undefined])[] = [
    ['Ready', verdict.decisive],
    ['Accepted', verdict.accepted],
    ['ResolvedRefs', verdict.resolved],
    ['Programmed', verdict.programmed],
    ...found,
    ...progressOf(inputs, verdict),
  ];
  return all.flatMap(([type, judged]) =>
    judged === undefined ? [] : [{ type, ...pick(judged), observedGeneration: inputs.generation }],
  );
}
