// A merged policy for people: a line for each value with the one whose word it is, then what lost. Pure.

import type { LineOrigin, LostPart, PolicyLine, PolicyView } from '../reconcilers/policy-view.js';
import { renderTable, type Paint } from './output.js';

const plain = /^[\w./:%-]+( [\w./:%-]+)*$/;

/** A value in one line, as flow style of YAML has it. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, inner]) => `${name}: ${inline(inner)}`);
    return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
  }
  return typeof value === 'string' && plain.test(value) ? value : JSON.stringify(value);
}

/** `MeshPolicy shop/reviews-limits (Service)`. */
function originText(origin: LineOrigin): string {
  if ('policy' in origin)
    return `MeshPolicy ${origin.policy} (${origin.level}${origin.audit === true ? ', Audit' : ''})`;
  return 'rule' in origin ? origin.rule : 'built-in';
}

const row = ({ path, value, origin }: PolicyLine): readonly string[] => [
  `${path}: ${inline(value)}`,
  `# ${originText(origin)}`,
];

const lostLine = ({ path, by, to, why }: LostPart): string =>
  `# lost: ${path} of ${originText(by)} to ${originText(to)}: ${why}\n`;

/** The merged policies of all places. */
export const policyText = (views: readonly PolicyView[], paint: Paint): string =>
  views
    .map(({ about, lines, lost }) =>
      [`${paint.bold(`# ${about}`)}\n`, renderTable(lines.map(row)), ...lost.map(lostLine)].join(''),
    )
    .join('\n');
