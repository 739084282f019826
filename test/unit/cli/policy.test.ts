// `legation policy effective`, run as people run it, and the names that targets have.

import { expect } from 'chai';
import { parse } from 'yaml';
import { parseTarget } from '../../../src/cli/policy-target.js';
import { goodMesh, legation } from './cli-harness.js';

const mesh = `${goodMesh}---
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: base, namespace: shop }
spec: { upstream: { timeouts: { request: 5s } } }
---
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: limits, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: web }]
  upstream: { timeouts: { request: 1s }, retryBudget: { percent: 5 } }
`;

const effective = (...args: readonly string[]) => legation(['policy', 'effective', ...args], { input: mesh });

interface Document {
  readonly kind: string;
  readonly target: string;
  readonly items: readonly { readonly lines: readonly unknown[]; readonly lost: readonly unknown[] }[];
}

describe('policy effective', () => {
  it('prints each line with its origin, and what lost', async () => {
    const { code, stdout, stderr } = await effective('svc/shop/web:http', '-');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const lines = stdout.split('\n').map((line) => line.replace(/ +#/, ' #'));
    expect(lines[0]).to.equal("# calls to Service 'shop/web', port 80 (http)");
    expect(lines).to.include.members([
      'upstream.connection.connectTimeout: 5s # built-in',
      'upstream.retryBudget.percent: 5 # MeshPolicy shop/limits (Service)',
      'upstream.timeouts.request: 1s # MeshPolicy shop/limits (Service)',
      '# lost: upstream.timeouts of MeshPolicy shop/base (Namespace) to MeshPolicy shop/limits (Service): nearer level',
    ]);
  });

  it('shows extensions where their gate is open, and says so where it is shut', async () => {
    const input = `${goodMesh}---
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: tags, namespace: shop }
spec: { extensions: [{ name: team, type: Lua, lua: "function envoy_on_request() end" }] }
`;
    const args = ['policy', 'effective', 'ns/shop', '-'];
    const open = await legation([...args, '--enable-extensions'], { input });
    expect(open.stdout).to.include('extensions[team].type: Lua');
    const shut = await legation(args, { input });
    expect(shut.stdout).not.to.include('extensions[team]');
    expect(shut.stderr).to.include('the gate of extensions is shut');
  });

  it('prints the same for scripts', async () => {
    const json = await effective('service/shop/web', '-', '-o', 'json');
    const yaml = await effective('services/shop/web', '-', '-o', 'yaml');
    const document = JSON.parse(json.stdout) as Document;
    expect({ ...(parse(yaml.stdout) as Document), target: '' }).to.deep.equal({ ...document, target: '' });
    expect(document).to.include({ kind: 'EffectivePolicy', target: 'service/shop/web' });
    const origin = { policy: 'shop/limits', level: 'Service' };
    expect(document.items[0]?.lines).to.deep.include({ path: 'upstream.timeouts.request', value: '1s', origin });
    expect(document.items[0]?.lost).to.have.length(1);
  });

  it('says what is not there, and what was probably meant', async () => {
    const { code, stdout, stderr } = await effective('deploy/shop/wev', '-');
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.equal("the mesh has no 'deploy/shop/wev'; did you mean 'shop/web'?\n");
  });

  it('refuses what names no target', async () => {
    const { code, stderr } = await effective('web', '-');
    expect(code).to.equal(2);
    expect(stderr).to.include("'web' is no target; targets are svc/NS/NAME[:PORT], ");
  });
});

describe('targets', () => {
  const read = (text: string): unknown => {
    const result = parseTarget(text);
    return result.ok ? result.value : result.error;
  };

  it('have the names that kubectl gives to kinds', () => {
    for (const kind of ['svc', 'Service', 'services'])
      expect(read(`${kind}/shop/web:80`)).to.deep.equal({ kind: 'service', key: 'shop/web', port: '80' });
    for (const kind of ['po', 'pod', 'pods']) expect(read(`${kind}/shop/web-0`)).to.include({ kind: 'pod' });
    expect(read('sts/shop/db')).to.deep.equal({ kind: 'workload', workload: 'StatefulSet', key: 'shop/db' });
    expect(read('TrafficRoute/shop/web/main')).to.deep.equal({
      kind: 'route',
      ref: { kind: 'TrafficRoute', namespace: 'shop', name: 'web' },
      rule: 'main',
    });
    expect(read('namespaces/shop')).to.deep.equal({ kind: 'namespace', namespace: 'shop' });
    expect(read('mesh')).to.deep.equal({ kind: 'mesh' });
  });

  it('have their whole name, and no more', () => {
    for (const text of ['', 'svc', 'svc/web', 'svc/shop/web/x', 'pod//web', 'ns/shop/web', 'mesh/shop', 'ns'])
      expect(read(text), text).to.include('is no target');
    expect(read('servise/shop/web')).to.equal("no kind is called 'servise'; did you mean 'service'?");
  });
});
