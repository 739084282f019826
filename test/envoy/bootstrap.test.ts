// The bootstrap: its content, and that stock Envoys of every supported version take it.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type BootstrapOptions, bootstrapToJson, buildBootstrap } from '../../src/xds/bootstrap.js';

const run = promisify(execFile);
const versions = ['1.36.4', '1.39.3', '1.40.0'];

const explicit: BootstrapOptions = {
  nodeId: 'web-0.shop',
  cluster: 'Deployment/web.shop',
  xds: { transport: 'insecure', address: '127.0.0.1', port: 18000 },
  capture: 'explicit',
  bindAddress: '127.77.200.9',
  adminSocket: '/tmp/legation-bootstrap-test.sock',
};
const redirect: BootstrapOptions = {
  ...explicit,
  xds: { transport: 'insecure', address: 'legation-xds.legation-system.svc', port: 18000 },
  capture: 'redirect',
  bindAddress: '0.0.0.0',
  maxHeapBytes: 241_591_910,
};

function jsonOf(options: BootstrapOptions, version = '1.39.3'): string {
  return JSON.stringify(bootstrapToJson(buildBootstrap(options), version));
}

describe('bootstrap: content', () => {
  it('names the proxy and finds the control plane by delta ADS, again within a second', () => {
    const json = bootstrapToJson(buildBootstrap(explicit), '1.39.3');
    expect(json['node']).to.deep.equal({ id: 'web-0.shop', cluster: 'Deployment/web.shop' });
    expect(json['dynamic_resources']).to.deep.equal({
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: 'legation-xds',
              retry_policy: { retry_back_off: { base_interval: '0.2s', max_interval: '1s' } },
            },
          },
        ],
      },
      cds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
      lds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
    });
  });

  it('binds outgoing connections to the pod in explicit mode alone', () => {
    expect(jsonOf(explicit)).to.include(
      '"upstream_bind_config":{"source_address":{"address":"127.77.200.9","port_value":0}}',
    );
    expect(jsonOf(redirect)).not.to.include('upstream_bind_config');
  });

  it('restricts the admin interface where Envoy can', () => {
    expect(jsonOf(explicit, '1.36.4')).not.to.include('allow_paths');
    for (const version of ['1.37.0', '1.40.0', '2.0.0']) expect(jsonOf(explicit, version)).to.include('allow_paths');
  });

  it('looks names up and takes addresses as they are', () => {
    expect(jsonOf(explicit)).to.include('"type":"STATIC"').and.not.to.include('envoy.cluster.dns');
    expect(jsonOf(redirect)).to.include('envoy.cluster.dns');
  });

  it('sheds load by heap only where the limit is known', () => {
    expect(jsonOf(explicit)).to.include('max_active_downstream_connections').and.not.to.include('fixed_heap');
    expect(jsonOf(redirect)).to.include('"max_heap_size_bytes":"241591910"').and.to.include('shrink_heap');
  });

  it('pushes metrics to a cluster that is there from the start, and says whose they are', () => {
    const metricsTo = {
      ...({ type: 'OpenTelemetry', cluster: 'o/infra/otel/4317', authority: 'otel.infra:4317' } as const),
      ...({ path: undefined, timeout: '500ms', onError: 'Deny' } as const),
    };
    const text = jsonOf({ ...explicit, metricsTo });
    expect(text).to.include('"service_name":"o/infra/otel/4317"').and.include('envoy.stat_sinks.open_telemetry');
    expect(text).to.include('{"tag_name":"pod","fixed_value":"web-0.shop"}');
    expect(jsonOf(explicit)).not.to.include('stat_sinks').and.not.to.include('"tag_name":"pod"');
  });

  it('says whose the counters of limits in mode Audit are', () => {
    expect(jsonOf(explicit)).to.include('"tag_name":"policy"').and.include('"tag_name":"rule"');
  });

  it('is the same each time', () => {
    expect(jsonOf(redirect)).to.equal(jsonOf(redirect));
  });
});

describe('bootstrap: stock Envoys take it', function () {
  this.timeout(300_000);
  let folder = '';
  let binaries: readonly string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
    const { stdout } = await run('scripts/install-envoy.sh', versions);
    binaries = stdout.trim().split('\n');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [index, version] of versions.entries()) {
    for (const [mode, options] of Object.entries({ explicit, redirect })) {
      it(`${version}, ${mode}`, async () => {
        const file = join(folder, `${version}-${mode}.json`);
        await writeFile(file, jsonOf(options, version));
        const { stdout, stderr } = await run(binaries[index] ?? '', ['--mode', 'validate', '-c', file]);
        expect(`${stdout}${stderr}`)
          .to.include('OK')
          .and.not.to.match(/\]\[(warning|error|critical)\]/);
      });
    }
  }
});
