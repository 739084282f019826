// Fields of our kinds in words, straight from their schemas. Pure.

import { closest } from '../api/did-you-mean.js';
import type { Node } from '../api/schema.js';
import { kinds, userKinds } from '../kinds/index.js';
import type { KindInfo } from '../kinds/index.js';
import { compiledNote } from '../kinds/unsupported.js';
import { type Result, err, ok } from '../lib/result.js';

/** What something means. */
export interface Explanation {
  /** condition, reason, kind or field. */
  readonly what: string;
  readonly name: string;
  readonly meaning: string;
  /** Type, default and the like. */
  readonly facts: Readonly<Record<string, string>>;
  /** Fields inside, with one line each. */
  readonly members: Readonly<Record<string, string>>;
}

/** Names by which our kinds are known. */
export const kindNames: readonly string[] = userKinds;

const kindOf = (name: string): KindInfo | undefined =>
  Object.values(kinds).find((info) =>
    [info.kind, info.singular, info.plural, info.shortName].some((known) => known.toLowerCase() === name.toLowerCase()),
  );

/** What a list holds, else the node itself. */
const inside = (node: Node): Node => (node.type === 'list' ? node.items : node);

function membersOf(node: Node): Readonly<Record<string, Node>> {
  const object = inside(node);
  return object.type === 'object' ? object.members : {};
}

const typeOf = (node: Node): string => (node.type === 'list' ? `list of ${typeOf(node.items)}` : node.type);

function boundsOf(node: Node): string | undefined {
  const value = inside(node);
  if (value.type === 'string') return value.values?.join(', ') ?? `${value.minLength}–${value.maxLength} characters`;
  return value.type === 'integer' ? `${value.minimum}–${value.maximum}` : undefined;
}

function defaultOf(node: Node): string | undefined {
  if (node.required === true) return 'none: required';
  return node.default === undefined ? node.effective : JSON.stringify(node.default);
}

function factsOf(node: Node, compiled: string): Readonly<Record<string, string>> {
  const facts = { type: typeOf(node), allowed: boundsOf(node), default: defaultOf(node), envoy: node.envoy, compiled };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([fact, value]) => (value === undefined ? [] : [[fact, value]])),
  );
}

const docs = (members: Readonly<Record<string, Node>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(members).map(([name, node]) => [name, node.doc]));

interface Position {
  readonly node: Node;
  /** As the table of what is compiled writes it: list items as `[]`. */
  readonly path: string;
}

function stepInto({ node, path }: Position, name: string): Position | undefined {
  const next = Object.hasOwn(membersOf(node), name) ? membersOf(node)[name] : undefined;
  if (next === undefined) return undefined;
  const from = node.type === 'list' ? `${path}[]` : path;
  return { node: next, path: from === '' ? name : `${from}.${name}` };
}

/** `TrafficRoute.spec.rules[0].retry`: the kind, and the names of fields below `spec`. */
function parseName(name: string): { readonly kind: string; readonly steps: readonly string[] } {
  const [kind = '', ...rest] = name.replace(/\[[^\]]*\]/g, '').split('.');
  return { kind, steps: rest[0] === 'spec' ? rest.slice(1) : rest };
}

/** Explains KIND or KIND.FIELD; the error says what there is instead, and is undefined where the kind is none of ours. */
export function explainField(name: string): Result<Explanation, string | undefined> {
  const { kind, steps } = parseName(name);
  const info = kindOf(kind);
  if (info === undefined) return err(undefined);
  let at: Position = { node: info.spec.node, path: '' };
  for (const step of steps) {
    const next = stepInto(at, step);
    if (next === undefined) return err(unknownField(step, at, info));
    at = next;
  }
  const members = docs(membersOf(at.node));
  if (steps.length === 0) return ok({ what: 'kind', name: info.kind, meaning: info.question, facts: {}, members });
  const facts = factsOf(at.node, compiledNote(info.kind, at.path));
  return ok({ what: 'field', name: `${info.kind}.spec.${at.path}`, meaning: at.node.doc, facts, members });
}

function unknownField(step: string, at: Position, info: KindInfo): string {
  const names = Object.keys(membersOf(at.node));
  const where = at.path === '' ? `${info.kind}.spec` : `${info.kind}.spec.${at.path}`;
  if (names.length === 0) return `${where} has no fields inside`;
  const guess = closest(step, names);
  return `${where} has no field '${step}'${guess === undefined ? `; it has ${names.join(', ')}` : `; did you mean '${guess}'?`}`;
}
