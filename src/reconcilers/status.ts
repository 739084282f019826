// Findings and deliveries to the status of each object. Pure. The decisive condition is copied to Ready.

import { setCondition, type Condition, type ConditionType, type Reason } from '../api/conditions.js';
import { controllerName, idOf, type ObjectRef } from '../api/meta.js';
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

/** A parent as it is repeated in status. */
export type ParentReference = Readonly<Record<string, string | number>>;

/** Everything that the status of one object is made from. */
export interface StatusInputs {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly findings: readonly Finding[];
  readonly parents: readonly { readonly index: number; readonly reference: ParentReference }[];
  /** Undefined: nothing of the object is delivered. */
  readonly delivery: DeliveryCounts | undefined;
  readonly rejections: readonly Rejection[];
  /** Where each part was written: `spec.rules[2]` for rule `canary`. */
  readonly pathOf: (part: string) => string | undefined;
  /** Content hash of what the object contributes. */
  readonly revision: string;
  readonly effective: string | undefined;
}

type Draft = Omit<Condition, 'lastTransitionTime'>;
/** A condition without its type and generation. */
type Judged = Omit<Draft, 'observedGeneration' | 'type'>;

/** Status as it is shown, `status` of the object. */
export interface ObjectStatus {
  readonly applied?: {
    readonly proxies: string;
    readonly rejected: number;
    readonly pending: number;
    readonly revision: string;
  };
  readonly conditions: readonly Condition[];
  readonly effective?: string;
  readonly observedGeneration: number;
  readonly parents?: readonly {
    readonly parentRef: ParentReference;
    readonly controllerName: string;
    readonly conditions: readonly Condition[];
  }[];
  readonly rejections?: readonly {
    readonly rule?: string;
    readonly resource: string;
    readonly message: string;
    readonly envoy?: string;
  }[];
}

/** After this time without all acknowledgements a human should look. */
const stalledAfterMs = 60_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function describePart({ ref, pathOf }: StatusInputs, part: string | undefined): string {
  if (part === undefined) return 'The object';
  const path = pathOf(part);
  if (ref.kind === 'MeshPolicy') return `\`${path ?? part}\``;
  return path === undefined ? `Rule '${part}'` : `Rule '${part}' (\`${path}\`)`;
}

function rejectedMessage(inputs: StatusInputs, first: Rejection): string {
  const part = describePart(inputs, first.origin.part);
  const kept = first.kept ? '; its last good version stays in force' : '; it is left out, everything else is live';
  const where = first.envoy === '' ? 'would be rejected by Envoy' : `rejected by Envoy ${first.envoy}`;
  const more = inputs.rejections.length > 1 ? ` (and ${String(inputs.rejections.length - 1)} more)` : '';
  return `${part} ${where}: "${first.message}" (${first.resource})${kept}${more}`;
}

function programmed(inputs: StatusInputs): Judged {
  const { delivery, revision } = inputs;
  const [rejection] = inputs.rejections;
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

const pick = ({ status, reason, message }: Judged) => ({ status, reason, message });

/** Conditions that are there only while True. */
const abnormal: readonly ConditionType[] = ['PartiallyInvalid', 'Conflicted', 'Degraded'];

/** What of an object decides whether it is ready. */
interface Verdict {
  readonly accepted: Judged;
  readonly resolved: Judged | undefined;
  readonly programmed: Judged;
  /** The first of these that is not True, or the last. */
  readonly decisive: Judged;
}

function verdictOf(inputs: StatusInputs): Verdict {
  const { findings } = inputs;
  const base = accepted(findings);
  const resolved = negative(findings, 'ResolvedRefs') ?? positive(findings, 'ResolvedRefs');
  const refused: Judged = { status: 'False', reason: base.reason, message: 'Nothing of the object is in force' };
  const delivered = base.status === 'True' ? programmed(inputs) : refused;
  const failing = [base, resolved].find((one) => one?.status === 'False');
  return { accepted: base, resolved, programmed: delivered, decisive: failing ?? delivered };
}

/** Progress is expected, or a human is needed; neither once all is well. */
function progressOf(inputs: StatusInputs, verdict: Verdict): readonly [ConditionType, Judged][] {
  const { decisive, programmed: delivered } = verdict;
  if (decisive.status === 'True') return [];
  const waited = inputs.delivery?.waitedMs ?? 0;
  const isStuck =
    verdict.accepted.status !== 'True' || delivered.reason === 'RejectedByProxy' || waited > stalledAfterMs;
  if (isStuck) return [['Stalled', { ...decisive, status: 'True' }]];
  return delivered.status === 'False' ? [['Reconciling', { ...delivered, status: 'True' }]] : [];
}

/** The conditions of an object, without times. */
export function conditionsOf(inputs: StatusInputs): readonly Draft[] {
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

function parentsOf(inputs: StatusInputs, conditions: readonly Condition[]): NonNullable<ObjectStatus['parents']> {
  return inputs.parents.map(({ index, reference }) => {
    const finding = inputs.findings.find((one) => one.parent === index && one.condition === 'Accepted');
    const own = conditions
      .filter(
        (condition) =>
          condition.type === 'Accepted' || condition.type === 'ResolvedRefs' || condition.type === 'Programmed',
      )
      .map((condition) =>
        condition.type === 'Accepted' && finding !== undefined ? { ...condition, ...pick(finding) } : condition,
      );
    return { parentRef: reference, controllerName, conditions: own };
  });
}

function rejectionLines(rejections: readonly Rejection[]): NonNullable<ObjectStatus['rejections']> {
  return rejections.slice(0, 5).map((rejection) => ({
    ...(rejection.origin.part === undefined ? {} : { rule: rejection.origin.part }),
    resource: rejection.resource,
    message: rejection.message,
    ...(rejection.envoy === '' ? {} : { envoy: rejection.envoy }),
  }));
}

/** The status of an object; times of conditions that did not flip are those of `previous`. */
export function statusOf(inputs: StatusInputs, previous: ObjectStatus | undefined, now: string): ObjectStatus {
  const drafts = conditionsOf(inputs);
  const kept = (previous?.conditions ?? []).filter((one) => drafts.some((next) => next.type === one.type));
  const conditions = drafts.reduce<readonly Condition[]>((all, draft) => setCondition(all, draft, now), kept);
  const { delivery } = inputs;
  const parents = inputs.parents.length === 0 ? undefined : parentsOf(inputs, conditions);
  return {
    ...(delivery === undefined
      ? {}
      : {
          applied: {
            proxies: `${String(delivery.acknowledged)}/${String(delivery.total)}`,
            rejected: inputs.rejections.length,
            pending: delivery.total - delivery.acknowledged,
            revision: inputs.revision,
          },
        }),
    conditions,
    ...(inputs.effective === undefined ? {} : { effective: inputs.effective }),
    observedGeneration: inputs.generation,
    ...(parents === undefined ? {} : { parents }),
    ...(inputs.rejections.length === 0 ? {} : { rejections: rejectionLines(inputs.rejections) }),
  };
}

/** Findings by object. */
export function byObject(findings: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const map = new Map<string, Finding[]>();
  for (const finding of findings) {
    const id = idOf(finding.ref);
    const list = map.get(id) ?? [];
    list.push(finding);
    map.set(id, list);
  }
  return map;
}
