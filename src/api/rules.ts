// CEL rules that come in families: discriminated unions and lists of filters. Knows no concrete field.

import type { Rule } from './schema-node.js';

/** Each filter type once in a list; some may repeat. */
export const filterTypesRule = (repeatable: readonly string[]): Rule => {
  const exempt = repeatable.length === 0 ? '' : `f.type in [${repeatable.map((type) => `'${type}'`).join(', ')}] || `;
  return {
    id: 'TR6',
    rule: `self.all(f, ${exempt}self.exists_one(o, o.type == f.type))`,
    messageExpression: `"each filter type may be used once; '%s' is used twice".format([self.filter(f, !(${exempt}self.exists_one(o, o.type == f.type)))[0].type])`,
  };
};

/** The discriminator `type` names exactly the one member that is set. */
export const unionRule = (id: string, what: string, members: Readonly<Record<string, string>>): Rule => ({
  id,
  rule: Object.entries(members)
    .map(([type, member]) => `has(self.${member}) == (self.type == '${type}')`)
    .join(' && '),
  messageExpression: `"${what} '%s' must set \`%s\` and nothing else".format([self.type, {${Object.entries(members)
    .map(([type, member]) => `'${type}': '${member}'`)
    .join(', ')}}[self.type]])`,
});
