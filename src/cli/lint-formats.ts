// What `legation lint` found, in the formats of people, scripts, and code review. Pure; each format is one function.

import { reasons } from '../api/conditions.js';
import type { Paint } from './output.js';
import { renderJson, renderTable } from './output.js';
import { type Remark, objectText, placeText } from './remarks.js';

/** How much was looked at, and what of it is wrong. */
export interface LintSummary {
  readonly objects: number;
  readonly errors: number;
  readonly warnings: number;
}

const reportVersion = 'cli.legation.dev/v1';

/** The report as data: `-o json` and `-o yaml`. */
export const lintReport = (remarks: readonly Remark[], summary: LintSummary): unknown => ({
  apiVersion: reportVersion,
  kind: 'LintReport',
  summary,
  findings: remarks,
});

/** For people: one line for each remark, nothing where there is none. */
export function lintTable(remarks: readonly Remark[], paint: Paint): string {
  if (remarks.length === 0) return '';
  const colour = { error: paint.red, warning: paint.yellow } as const;
  const head = ['FILE:LINE', 'SEVERITY', 'REASON', 'OBJECT', 'MESSAGE'].map(paint.bold);
  const rows = remarks.map((remark) => [
    placeText(remark),
    colour[remark.severity](remark.severity),
    remark.reason,
    objectText(remark),
    remark.message.replaceAll('\n', ' '),
  ]);
  return renderTable([head, ...rows]);
}

const escapeData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** Workflow commands, which GitHub shows beside the lines of a pull request. */
export const lintGithub = (remarks: readonly Remark[]): string =>
  remarks
    .map(({ severity, file, line, column, reason, message, object }) => {
      const properties = Object.entries({ file, line, col: column, title: reason })
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
      const subject = object === undefined ? '' : `${objectText({ severity, reason, message, object })}: `;
      return `::${severity} ${properties.join(',')}::${escapeData(subject + message)}\n`;
    })
    .join('');

const isReason = (name: string): name is keyof typeof reasons => Object.hasOwn(reasons, name);

const sarifResult = ({ severity, reason, message, file, line, column }: Remark): unknown => ({
  ruleId: reason,
  level: severity,
  message: { text: message },
  locations:
    file === undefined
      ? []
      : [
          {
            physicalLocation: {
              artifactLocation: { uri: encodeURI(file) },
              region: { startLine: line ?? 1, ...(column === undefined ? {} : { startColumn: column }) },
            },
          },
        ],
});

/** SARIF 2.1.0, which code scanning reads. */
export function lintSarif(remarks: readonly Remark[], version: string): string {
  const ids = [...new Set(remarks.map(({ reason }) => reason))].sort();
  const rules = ids.map((id) => ({ id, ...(isReason(id) ? { shortDescription: { text: reasons[id] } } : {}) }));
  return renderJson({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'legation', version, rules } }, results: remarks.map(sarifResult) }],
  });
}
