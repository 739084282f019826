// Everything that is to be said of files, from the reader and from the compiler alike, as one list with places. Must not
// know how it is printed.

import type { ConditionStatus, ConditionType, Reason } from '../api/conditions.js';
import { type ObjectRef, idOf, refOf } from '../api/meta.js';
import type { Finding } from '../model/finding.js';
import type { Diagnostic, FolderContent, Place } from '../sources/files.js';

/** One thing to be said. */
export interface Remark {
  readonly severity: 'error' | 'warning';
  /** One of the reasons that `legation explain` knows. */
  readonly reason: string;
  readonly object?: ObjectRef;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** Field path inside the object. */
  readonly path?: string;
  readonly message: string;
}

const isDuplicate = ({ column, path, message }: Diagnostic): boolean =>
  column === undefined && path === undefined && message.includes(' is defined twice: ');

/** The reader says what is wrong, and not by which name status calls it. */
function reasonOf(diagnostic: Diagnostic, content: FolderContent): string {
  const { severity, object, path, message } = diagnostic;
  if (severity === 'warning') return 'Ignored' satisfies Reason;
  if (isDuplicate(diagnostic)) return 'DuplicateObject' satisfies Reason;
  if (object === undefined && path === undefined) return 'Unparsable' satisfies Reason;
  const id = object === undefined ? undefined : idOf(object);
  const problems = content.malformed.find(({ ref }) => idOf(ref) === id)?.problems ?? [];
  const problem = problems.find((one) => one.path === (path ?? '') && one.message === message);
  return problem?.reason ?? ('Invalid' satisfies Reason);
}

const fromDiagnostic = (diagnostic: Diagnostic, content: FolderContent): Remark => ({
  ...diagnostic,
  reason: reasonOf(diagnostic, content),
});

/** When a condition is worth a remark, and how bad that is; others never are. */
const severities: Partial<
  Record<ConditionType, { readonly on: ConditionStatus; readonly severity: Remark['severity'] }>
> = {
  Accepted: { on: 'False', severity: 'error' },
  ResolvedRefs: { on: 'False', severity: 'error' },
  PartiallyInvalid: { on: 'True', severity: 'error' },
  Conflicted: { on: 'True', severity: 'warning' },
  Degraded: { on: 'True', severity: 'warning' },
};

function severityOf({ condition, status }: Finding): Remark['severity'] | undefined {
  const known = severities[condition];
  return known?.on === status ? known.severity : undefined;
}

async function placeOf(
  { ref, path }: Finding,
  content: FolderContent,
): Promise<Place | { file?: string; line?: number }> {
  const found = await content.locate(ref, path ?? '');
  if (found !== undefined) return found;
  const made = content.objects.find((object) => idOf(refOf(object)) === idOf(ref));
  return made?.meta.place ?? {};
}

async function fromFinding(finding: Finding, content: FolderContent): Promise<readonly Remark[]> {
  const severity = severityOf(finding);
  if (severity === undefined) return [];
  const { ref: object, reason, message, path } = finding;
  const place = await placeOf(finding, content);
  return [{ severity, reason, object, ...place, ...(path === undefined ? {} : { path }), message }];
}

const inOrder = (left: Remark, right: Remark): number => {
  const [leftFile, rightFile] = [left.file ?? '\uffff', right.file ?? '\uffff'];
  if (leftFile !== rightFile) return leftFile < rightFile ? -1 : 1;
  return (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0);
};

/** All remarks, in order of files and lines; each problem once. */
export async function remarksOf(content: FolderContent, findings: readonly Finding[]): Promise<readonly Remark[]> {
  // The reader has already told everything of those.
  const told = new Set(content.malformed.map(({ ref }) => idOf(ref)));
  const remarks = content.diagnostics.map((diagnostic) => fromDiagnostic(diagnostic, content));
  for (const finding of findings) {
    if (!told.has(idOf(finding.ref))) remarks.push(...(await fromFinding(finding, content)));
  }
  return remarks.sort(inOrder);
}

/** `mesh/shop.yaml:12`, or `-` for what nobody wrote. */
export const placeText = ({ file, line }: Remark): string =>
  file === undefined || file === '' ? '-' : `${file}:${line ?? 1}`;

/** `TrafficRoute/shop/reviews`, or `-`. */
export const objectText = ({ object }: Remark): string => (object === undefined ? '-' : idOf(object));

/** One line of prose for a command whose business is another. */
export const remarkLine = (remark: Remark): string =>
  `${remark.severity}: ${placeText(remark)}: ${remark.reason}: ${objectText(remark)}: ${remark.message}`;
