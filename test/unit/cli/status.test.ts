// `legation status` against a small admin endpoint, and against nobody.

import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { legation } from './cli-harness.js';

const condition = (status: string, reason: string, message: string) => ({
  type: 'Ready',
  status,
  reason,
  message,
  lastTransitionTime: '2020-01-01T00:00:00Z',
});

const item = (name: string, ready: ReturnType<typeof condition>) => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'TrafficRoute',
  metadata: { name, namespace: 'shop', generation: 2 },
  status: { applied: { proxies: '3/4' }, conditions: [ready] },
});

const list = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    item('good', condition('True', 'Programmed', '4 of 4 proxies')),
    item('bad', condition('False', 'RejectedByProxy', "Rule 'x' was refused")),
  ],
};

describe('status', () => {
  let server: Server;
  let admin: string;

  before(async () => {
    server = createServer((request, response) => {
      response.statusCode = request.url === '/status' ? 200 : 404;
      response.end(JSON.stringify(list));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(() => {
    server.close();
  });

  const status = (...args: readonly string[]) => legation(['status', '--admin', admin, ...args]);
  const cells = (text: string): readonly string[][] =>
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  it('shows a row for each object, and fails where one is not ready', async () => {
    const { code, stdout, stderr } = await status();
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '1 of 2 ready\n' });
    const [head, good, bad] = cells(stdout);
    expect(head).to.deep.equal(['KIND', 'NAMESPACE', 'NAME', 'READY', 'REASON', 'PROXIES', 'AGE', 'MESSAGE']);
    expect(good?.slice(0, 6)).to.deep.equal(['TrafficRoute', 'shop', 'good', 'True', 'Programmed', '3/4']);
    expect(bad?.slice(2, 6)).to.deep.equal(['bad', 'False', 'RejectedByProxy', '3/4']);
    expect(bad?.at(-1)).to.equal("Rule 'x' was refused");
  });

  it('takes objects by kind, short name and key, and says which are not there', async () => {
    const one = await status('troute/shop/good', '-o', 'json');
    expect(one.code).to.equal(0);
    expect(JSON.parse(one.stdout)).to.deep.equal({ ...list, items: [list.items[0]] });
    const none = await status('TrafficRoute/shop/godo');
    expect({ code: none.code, stdout: none.stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(none.stderr).to.include("did you mean 'TrafficRoute/shop/good'?");
    expect((await status('meshpolicies')).code).to.equal(0);
  });

  it('says that nobody answers, with exit code 3', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(closed.address() as AddressInfo).port}`;
    await new Promise((resolve) => closed.close(resolve));
    const { code, stdout, stderr } = await legation(['status', '--admin', address]);
    expect({ code, stdout }).to.deep.equal({ code: 3, stdout: '' });
    expect(stderr).to.equal(`legation: no control plane answers at ${address}; is 'legation run' running there?\n`);
  });
});
