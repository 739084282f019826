// The words of refusals: whoever reads a condition sees which field it is about.

import { expect } from 'chai';
import { refusal } from '../../../src/reconcilers/judgement.js';

const said = (path: string, message: string): string => refusal({ path, reason: 'Invalid', message }).message;

describe('reconcilers/judgement: refusals', () => {
  it('name the field where the rule speaks of the value alone', () => {
    expect(said('spec.rules[0].retry.backoff', "the duration '0s' must be between '1ms' and '720h'")).to.equal(
      "`spec.rules[0].retry.backoff`: the duration '0s' must be between '1ms' and '720h'",
    );
  });

  it('stay as they are where they name a field', () => {
    const message = "`port` must be set for Service 'reviews'";
    expect(said('spec.rules[0].backendRefs[0]', message)).to.equal(message);
    expect(said('', 'cannot be read: odd')).to.equal('cannot be read: odd');
  });
});
