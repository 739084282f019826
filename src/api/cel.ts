// Evaluates the CEL rules of the CRDs offline, with the same outcome and the same words as the API server.
// Compiles a rule when it is first needed. Knows no schema.

import { Environment } from '@marcbachmann/cel-js';
import { isIP } from 'node:net';
import { messageOf } from '../lib/result.js';
import { isMaskedCidr } from './cidr.js';
import { matchesRe2 } from './re2.js';
import type { Rule } from './schema-node.js';

type Program = (context: Record<string, unknown>) => unknown;

const numeric = (value: unknown): number => (typeof value === 'bigint' ? Number(value) : Number(value ?? 0));

/** `%s` and `%d` of CEL's `format`; the rest is not used. */
function format(template: string, values: Iterable<unknown>): string {
  const rest = [...values];
  return template.replace(/%[sd]/g, () => String(rest.shift()));
}

function createEnvironment(): Environment {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
  environment.registerFunction('string.format(list): string', format);
  environment.registerFunction('list.sum(): int', (values: Iterable<unknown>) =>
    BigInt([...values].reduce<number>((sum, value) => sum + numeric(value), 0)),
  );
  environment.registerFunction('string.re2Matches(string): bool', (found: string, pattern: string) =>
    matchesRe2(pattern, found),
  );
  environment.registerFunction('isMaskedCIDR(string): bool', isMaskedCidr);
  environment.registerFunction('isIP(string): bool', (found: string) => isIP(found) !== 0);
  return environment;
}

let environment: Environment | undefined;
const programs = new Map<string, Program>();

/** The library matches with JavaScript's engine and lacks the server's CIDR type: both are replaced by name. */
const adapted = (source: string): string =>
  source
    .replaceAll('.matches(', '.re2Matches(')
    .replaceAll('isCIDR(self) && cidr(self) == cidr(self).masked()', 'isMaskedCIDR(self)');

function compiled(source: string): Program {
  const known = programs.get(source);
  if (known !== undefined) return known;
  environment ??= createEnvironment();
  const program: Program = environment.parse(adapted(source));
  programs.set(source, program);
  return program;
}

/** The first line of the library's text, without its source excerpt. */
const summary = (thrown: unknown): string => messageOf(thrown).split('\n', 1)[0] ?? '';

function messageFor(rule: Rule, context: Record<string, unknown>): string {
  const fallback = rule.message ?? `failed rule: ${rule.rule}`;
  if (rule.messageExpression === undefined) return fallback;
  try {
    const message = compiled(rule.messageExpression)(context);
    return typeof message === 'string' && message !== '' ? message : fallback;
  } catch {
    // The server falls back, too: a broken message must not hide the verdict.
    return fallback;
  }
}

/** The message of a rule that does not hold, as the API server would print it; undefined where it holds. */
export function violation(rule: Rule, self: unknown, oldSelf?: unknown): string | undefined {
  const context = oldSelf === undefined ? { self } : { self, oldSelf };
  try {
    return compiled(rule.rule)(context) === true ? undefined : messageFor(rule, context);
  } catch (thrown) {
    return `${summary(thrown)} evaluating rule: ${rule.message ?? rule.rule}`;
  }
}

/** What keeps a text from being a CEL expression; undefined where it is one. */
export function celSyntaxProblem(source: string): string | undefined {
  try {
    compiled(source);
    return undefined;
  } catch (thrown) {
    return summary(thrown);
  }
}

/** Whether a rule compares with the stored object and so only runs on updates. */
export const isTransition = (rule: Rule): boolean => rule.rule.includes('oldSelf');
