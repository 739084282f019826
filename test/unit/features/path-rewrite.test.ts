// Replacing a prefix: Gateway API's own table, run through what Envoy would do with the answer.

import { expect } from 'chai';
import { prefixReplacement, withSoundPath } from '../../../src/features/path-rewrite.js';

/** What Envoy makes of a path that matched. */
function rewritten(path: string, matched: string, replacement: string): string {
  const result = prefixReplacement({ value: matched, ignoreCase: false }, replacement);
  const stem = matched.replace(/\/+$/, '');
  if (result.kind === 'prefix') return result.value + path.slice(stem === '' ? 1 : stem.length);
  return path.replace(new RegExp(result.value.pattern?.regex ?? ''), result.value.substitution ?? '');
}

describe('prefix replacement', () => {
  const rows = [
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/foo/bar', '/foo', 'xyz', '/xyz/bar'],
    ['/bar', '/', '/xyz', '/xyz/bar'],
    ['/bar', '/', '/', '/bar'],
    ['/a.b/c', '/a.b', '', '/c'],
  ] as const;

  for (const [path, matched, replacement, wanted] of rows) {
    it(`${path}, '${matched}' by '${replacement}': ${wanted}`, () => {
      expect(rewritten(path, matched, replacement)).to.equal(wanted);
    });
  }

  it('ignores case where the match does', () => {
    const result = prefixReplacement({ value: '/Foo', ignoreCase: true }, '');
    expect(result)
      .to.have.nested.property('value.pattern.regex')
      .that.matches(/^\(\?i\)/);
  });
});

describe('new paths', () => {
  for (const broken of ['\0', 'a\nb', 'a\rb']) {
    it(`must not hold ${JSON.stringify(broken)}, which would end a header`, () => {
      const result = withSoundPath('requestRedirect', { path: { replaceFullPath: broken } });
      expect(result.ok).to.equal(false);
      if (result.ok) return;
      expect(result.error.map(({ path }) => path)).to.deep.equal(['requestRedirect.path.replaceFullPath']);
    });
  }

  it('may hold anything else', () => {
    expect(withSoundPath('urlRewrite', { path: { replacePrefixMatch: '/a b?c=ü' } }).ok).to.equal(true);
    expect(withSoundPath('urlRewrite', {}).ok).to.equal(true);
  });
});
