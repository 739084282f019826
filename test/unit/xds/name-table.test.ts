// Names as small integers.

import { expect } from 'chai';
import fc from 'fast-check';
import { createNameTable } from '../../../src/xds/name-table.js';

const find = (table: ReturnType<typeof createNameTable>, name: string): number | undefined => {
  const buffer = Buffer.from(`<${name}>`);
  return table.idOfBytes(buffer, 1, buffer.length - 1);
};

describe('name table', () => {
  it('finds by bytes what was entered by name, and the other way round', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 200 }), (names) => {
        const table = createNameTable();
        names.forEach((name, index) => {
          const id = index % 2 === 0 ? table.idOf(name) : find(table, name);
          expect(table.idOf(name)).to.equal(id);
          expect(find(table, name)).to.equal(id);
          expect(table.nameOf(id ?? -1)).to.equal(name);
        });
        expect(table.size()).to.equal(new Set(names).size);
      }),
    );
  });

  it('keeps a bounded number of names that only clients know', () => {
    const table = createNameTable();
    for (let at = 0; at < 100_000; at++) expect(find(table, `n${String(at)}`)).to.equal(at);
    expect(find(table, 'one too many')).to.equal(undefined);
    expect(find(table, 'n7')).to.equal(7);
    expect(table.idOf('ours')).to.equal(100_000);
    expect(find(table, 'ours')).to.equal(100_000);
  });

  it('keeps a bounded number of bytes of them', () => {
    const table = createNameTable();
    const huge = 'x'.repeat(6 * 1024 * 1024);
    expect(find(table, `${huge}1`)).to.equal(0);
    expect(find(table, `${huge}2`)).to.equal(1);
    expect(find(table, `${huge}3`)).to.equal(undefined);
  });
});
