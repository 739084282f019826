// Structural OpenAPI v3 of a schema, as a CustomResourceDefinition wants it, and the count of leaves.
// Knows no concrete field.

import type { ListNode, Node, ObjectNode, Rule, Schema, StringNode } from './schema-node.js';

/** A JSON object that is part of a CRD. */
export type OpenApi = Readonly<Record<string, unknown>>;

const validation = (rule: Rule): OpenApi => ({
  rule: rule.rule,
  ...(rule.message === undefined ? {} : { message: rule.message }),
  ...(rule.messageExpression === undefined ? {} : { messageExpression: rule.messageExpression }),
  reason: 'FieldValueInvalid',
  ...(rule.fieldPath === undefined ? {} : { fieldPath: rule.fieldPath }),
});

function listOpenApi(node: ListNode): OpenApi {
  return {
    type: 'array',
    ...(node.minItems > 0 ? { minItems: node.minItems } : {}),
    maxItems: node.maxItems,
    items: nodeOpenApi(node.items),
    'x-kubernetes-list-type': node.listType,
    ...(node.keys.length === 0 ? {} : { 'x-kubernetes-list-map-keys': node.keys }),
  };
}

function objectOpenApi(node: ObjectNode): OpenApi {
  const members = Object.entries(node.members);
  const required = members.filter(([, member]) => member.required === true).map(([name]) => name);
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(members.map(([name, member]) => [name, nodeOpenApi(member)])),
  };
}

function stringOpenApi(node: StringNode): OpenApi {
  if (node.values !== undefined) return { type: 'string', enum: node.values };
  return {
    type: 'string',
    ...(node.format === undefined ? {} : { format: node.format }),
    ...(node.minLength > 0 ? { minLength: node.minLength } : {}),
    maxLength: node.maxLength,
    ...(node.pattern === undefined ? {} : { pattern: node.pattern }),
  };
}

function shapeOpenApi(node: Node): OpenApi {
  switch (node.type) {
    case 'string':
      return stringOpenApi(node);
    case 'integer':
      return { type: 'integer', format: 'int64', minimum: node.minimum, maximum: node.maximum };
    case 'boolean':
      return { type: 'boolean' };
    case 'list':
      return listOpenApi(node);
    case 'map':
      return {
        type: 'object',
        ...(node.minProperties > 0 ? { minProperties: node.minProperties } : {}),
        maxProperties: node.maxProperties,
        additionalProperties: shapeOpenApi(node.values),
      };
    case 'object':
      return objectOpenApi(node);
    case 'free':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  }
}

function nodeOpenApi(node: Node): OpenApi {
  return {
    ...(node.doc === '' ? {} : { description: node.doc }),
    ...shapeOpenApi(node),
    ...(node.default === undefined ? {} : { default: node.default }),
    ...(node.rules === undefined || node.rules.length === 0
      ? {}
      : { 'x-kubernetes-validations': node.rules.map(validation) }),
  };
}

/** The structural OpenAPI v3 of a schema. */
export const openApi = (schema: Schema<unknown>): OpenApi => nodeOpenApi(schema.node);

/** A leaf of a schema: a scalar, a list or map of scalars, or a free-form object. */
export interface Leaf {
  /** Relative to the schema, list items as `[]`: `rules[].timeouts.request`. */
  readonly path: string;
  readonly node: Node;
  /** The class of the leaf or of the nearest container that names one. */
  readonly change: string;
}

interface Place {
  readonly path: string;
  readonly change: string;
}

function leavesOf(node: Node, place: Place): readonly Leaf[] {
  const change = node.change ?? place.change;
  if (node.type === 'object') {
    const prefix = place.path === '' ? '' : `${place.path}.`;
    return Object.entries(node.members).flatMap(([name, member]) =>
      leavesOf(member, { path: `${prefix}${name}`, change }),
    );
  }
  if (node.type === 'list' && node.items.type === 'object')
    return leavesOf(node.items, { path: `${place.path}[]`, change });
  return [{ path: place.path, node, change }];
}

/** All leaves in order. Lists of objects count their members once. */
export const leaves = (schema: Schema<unknown>): readonly Leaf[] => leavesOf(schema.node, { path: '', change: '-' });
