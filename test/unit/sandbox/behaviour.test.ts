// What annotations ask of the built-in application.
import { expect } from 'chai';
import { parseBehaviour } from '../../../src/sandbox/behaviour.js';

describe('sandbox: behaviour from annotations', () => {
  it('does nothing unasked', () => {
    const { behaviour, entries, problems } = parseBehaviour({ 'example.com/other': '1' });
    expect(behaviour).to.deep.equal({ latencyMs: 0, failurePercent: 0, failureStatus: 503, calls: [] });
    expect(entries).to.deep.equal([]);
    expect(problems).to.deep.equal([]);
  });

  it('reads every annotation', () => {
    const { behaviour, entries } = parseBehaviour({
      'app.legation.dev/latency': '1.5s',
      'app.legation.dev/failure-percent': '12.5',
      'app.legation.dev/failure-status': '429',
      'app.legation.dev/calls': ' http://a:9080/x , http://b.shop/ ,',
      'app.legation.dev/entry': 'http://front/',
    });
    expect(behaviour).to.deep.equal({
      latencyMs: 1500,
      failurePercent: 12.5,
      failureStatus: 429,
      calls: ['http://a:9080/x', 'http://b.shop/'],
    });
    expect(entries).to.deep.equal(['http://front/']);
  });

  const mistakes: readonly (readonly [string, string])[] = [
    ['latency', 'soon'],
    ['latency', '2m'],
    ['failure-percent', '101'],
    ['failure-percent', '-1'],
    ['failure-status', '99'],
    ['calls', 'https://a/'],
    ['calls', 'reviews:9080'],
    ['entry', 'nowhere'],
  ];
  for (const [name, value] of mistakes) {
    it(`names the mistake in ${name}: ${value}`, () => {
      const { behaviour, problems } = parseBehaviour({ [`app.legation.dev/${name}`]: value });
      expect(behaviour).to.deep.equal(parseBehaviour({}).behaviour);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.include(`app.legation.dev/${name}`).and.to.include(`'${value}'`);
    });
  }
});
