// Code and patches of authors inside Envoy, on a control plane whose gate is open.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { type Processor, startProcessor } from '../processor.js';
import { feature, misuse } from '../registry.js';
import { service } from '../world.js';
import { route } from '../written.js';

/** Where a policy stands. */
interface At {
  /** Of the pods that it selects. */
  readonly labels: string;
  readonly name?: string;
}

const v3 = { labels: 'version: v3' };
const caller = { labels: 'app: web' };

/** A policy in the shared namespace; `extensions` is a list in YAML. */
const beside = (mesh: TestMesh, { labels, name = 'ext' }: At, extensions: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: ${name}-${mesh.namespace}, namespace: ${mesh.apps} }
spec:
  workloadSelector: { matchLabels: { ${labels} } }
  extensions: ${extensions}`;

const policyOf = (mesh: TestMesh, name = 'ext'): string => `${mesh.apps}/${name}-${mesh.namespace}`;

const condition = (mesh: TestMesh, type: string, name?: string) =>
  mesh.condition('MeshPolicy', policyOf(mesh, name), type);

/** A script that marks answers, as one line of YAML. */
const marks = (header: string, value: string): string =>
  JSON.stringify(`function envoy_on_response(handle) handle:headers():add("${header}", ${value}) end`);

const lua = (name: string, script: string, more = ''): string =>
  `[{ name: ${name}, type: Lua, lua: ${script}${more} }]`;

const broken = JSON.stringify('function envoy_on_request(handle) handle:headers(: end');

const header = async (mesh: TestMesh, name: string, host = 'shop'): Promise<unknown> =>
  (await mesh.as('web').get(`http://${host}/`)).headers[name];

feature('1.6-lua', 'a script runs beside the pods that a policy selects, and nowhere else', async (mesh) => {
  await mesh.apply(
    service('shop', ['v3']),
    service('other', ['v2']),
    beside(mesh, v3, lua('mark', marks('x-lua', '"in"'))),
  );
  expect(await header(mesh, 'x-lua')).to.equal('in');
  expect(await header(mesh, 'x-lua', 'other')).to.equal(undefined);
});

feature('1.6-lua', 'a script reads its config, and changes without a connection being closed', async (mesh) => {
  const script = marks('x-lua', 'handle:filterContext():get("name")');
  await mesh.apply(service('shop', ['v3']), beside(mesh, v3, lua('mark', script, ', config: { name: one }')));
  expect(await header(mesh, 'x-lua')).to.equal('one');
  const destroyed = /^http\.i\/8080\.downstream_cx_drain_close$|listener_manager\.listener_modified/;
  const before = await mesh.envoy('v3').stats(destroyed);
  await mesh.apply(
    service('shop', ['v3']),
    beside(mesh, v3, lua('mark', marks('x-lua', '"two"'), ', config: { name: one }')),
  );
  expect(await header(mesh, 'x-lua')).to.equal('two');
  expect([...(await mesh.envoy('v3').stats(destroyed))]).to.deep.equal([...before]);
});

feature('1.6-lua', 'a script on the way out sees what the caller sends', async (mesh) => {
  await mesh.apply(
    service('shop', ['v1']),
    beside(mesh, caller, lua('mark', marks('x-lua', '"out"'), ', direction: Outbound')),
  );
  // On a connection of its own: what is kept from before belongs to the listener as it was.
  expect((await mesh.as('web').http2('http://shop/')).headers['x-lua']).to.equal('out');
});

feature('1.6-lua', 'of two policies the nearer one has the name', async (mesh) => {
  await mesh.apply(
    service('shop', ['v3']),
    [],
    beside(mesh, v3, lua('mark', marks('x-lua', '"near"'))),
    `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: far-${mesh.namespace}, namespace: ${mesh.apps} }
spec:
  extensions:
  - { name: mark, type: Lua, lua: ${marks('x-lua', '"far"')} }
  - { name: also, type: Lua, lua: ${marks('x-also', '"far"')} }`,
  );
  const answer = await mesh.as('web').get('http://shop/');
  expect(answer.headers).to.include({ 'x-lua': 'near', 'x-also': 'far' });
});

misuse('1.6-lua', 'a script that does not compile costs nobody anything, and status quotes Envoy', async (mesh) => {
  await mesh.apply(
    service('shop', ['v3']),
    beside(mesh, v3, lua('mark', marks('x-lua', '"good"'))),
    beside(mesh, { ...v3, name: 'neighbour' }, lua('also', marks('x-also', '"yes"'))),
  );
  const neighbours = beside(mesh, { ...v3, name: 'neighbour' }, lua('also', marks('x-also', '"still"')));
  await mesh.attempt(service('shop', ['v3']), beside(mesh, v3, lua('mark', broken)), neighbours);
  await eventually(async () => (await condition(mesh, 'Programmed')).is === 'False RejectedByProxy', {
    what: 'the refusal to be told',
  });
  const { message } = await condition(mesh, 'Programmed');
  expect(message).to.include('`spec.extensions[mark]`').and.include(`rejected by Envoy ${mesh.version}`);
  expect(message).to.include('script load error').and.include('last good version stays in force');
  await eventually(async () => (await condition(mesh, 'Ready', 'neighbour')).is.startsWith('True'), {
    what: 'the neighbour to be in force',
  });
  expect((await mesh.as('web').get('http://shop/')).headers).to.include({ 'x-lua': 'good', 'x-also': 'still' });
});

misuse('1.6-lua', 'a script that never compiled is left out, and requests pass', async (mesh) => {
  await mesh.attempt(service('shop', ['v3']), beside(mesh, v3, lua('mark', broken)));
  await eventually(async () => (await condition(mesh, 'Programmed')).is === 'False RejectedByProxy', {
    what: 'the refusal to be told',
  });
  expect((await condition(mesh, 'Programmed')).message).to.include('it is left out, everything else is live');
  expect(await mesh.as('web').get('http://shop/')).to.include({ status: 200, by: 'v3' });
});

misuse('1.6-lua', 'config on the way out, and a Service as the target, are refused', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    beside(mesh, caller, lua('mark', marks('x', '"x"'), ', direction: Both, config: { a: b }')),
    `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: on-service }
spec:
  targetRefs: [{ kind: Service, name: shop }]
  extensions: ${lua('mark', marks('x', '"x"'))}`,
  );
  expectCondition(await condition(mesh, 'Accepted'), 'False UnsupportedValue', 'shared with other workloads');
  expectCondition(
    await mesh.condition('MeshPolicy', 'on-service', 'Accepted'),
    'False Invalid',
    'must target workloads, a namespace or the mesh, not a Service',
  );
});

/** One patch, as a list of extensions. */
const patch = (hook: string, value: string, more = ''): string =>
  `[{ name: tune, type: Patch, patch: { hook: ${hook}, value: ${value} }${more} }]`;

const addsHeader = (name: string): string =>
  `{ response_headers_to_add: [{ header: { key: ${name}, value: patched } }] }`;

feature('1.6-patches', 'a virtual host, a route and a connection manager on the way in', async (mesh) => {
  const manager = '{ server_name: patched, server_header_transformation: OVERWRITE }';
  await mesh.apply(
    service('shop', ['v3']),
    beside(mesh, { ...v3, name: 'host' }, patch('VirtualHost', addsHeader('x-host'))),
    beside(mesh, { ...v3, name: 'route' }, patch('Route', addsHeader('x-route')).replace('tune', 'tune-route')),
    beside(mesh, { ...v3, name: 'manager' }, patch('HttpConnectionManager', manager).replace('tune', 'tune-manager')),
  );
  const { headers } = await mesh.as('web').get('http://shop/');
  expect(headers).to.include({ 'x-host': 'patched', 'x-route': 'patched', server: 'patched' });
});

feature('1.6-patches', 'routes on the way out, of the resources that it names', async (mesh) => {
  const named = (match: string) =>
    `[{ name: tune, type: Patch, direction: Outbound, patch: { hook: Route, match: ${JSON.stringify(match)}, value: ${addsHeader('x-route')} } }]`;
  await mesh.apply(
    service('shop', ['v1']),
    service('other', ['v1']),
    beside(mesh, caller, named(`o/${mesh.namespace}/shop/*`)),
  );
  expect(await header(mesh, 'x-route')).to.equal('patched');
  expect(await header(mesh, 'x-route', 'other')).to.equal(undefined);
});

feature('1.6-patches', 'a cluster on the way out, for this caller alone', async (mesh) => {
  const value = '{ upstream_bind_config: { source_address: { address: 192.0.2.9, port_value: 0 } } }';
  const extensions = `[{ name: tune, type: Patch, direction: Outbound, patch: { hook: Cluster, match: "o/${mesh.namespace}/*", value: ${value} } }]`;
  await mesh.apply(service('shop', ['v1']), beside(mesh, caller, extensions));
  expect(await mesh.as('web').get('http://shop/')).to.include({ status: 503 });
  expect(await mesh.as('guest').get('http://shop/')).to.include({ status: 200, by: 'v1' });
});

feature('1.6-patches', 'filters of a patch stand before the router', async (mesh) => {
  const filter = `{ http_filters: [{ name: mine, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault,
    abort: { http_status: 418, percentage: { numerator: 100 } } } }] }`;
  await mesh.apply(service('shop', ['v3']), beside(mesh, v3, patch('HttpConnectionManager', filter)));
  expect(await mesh.as('web').get('http://shop/')).to.include({ status: 418 });
});

feature('1.6-patches', 'a patch waits for the version that it needs', async (mesh) => {
  const extensions = `[{ name: tune, type: Patch, patch: { hook: VirtualHost, minEnvoyVersion: "1.39", value: ${addsHeader('x-new')} } }]`;
  await mesh.attempt(service('shop', ['v3']), beside(mesh, v3, extensions));
  const isNew = !mesh.version.startsWith('1.36.');
  await eventually(async () => (await header(mesh, 'x-new')) === (isNew ? 'patched' : undefined), {
    what: 'the patch to be where it should',
  });
  expectCondition(await condition(mesh, 'Accepted'), 'True Accepted', '');
  if (isNew) {
    expect((await condition(mesh, 'Degraded')).is).to.equal('');
    return undefined;
  }
  expectCondition(await condition(mesh, 'Degraded'), 'True VersionGate', 'Envoy 1.39');
  return 'refused';
});

misuse('1.6-patches', 'unknown, deprecated and forbidden fields are named', async (mesh) => {
  const refusal = async (hook: string, value: string): Promise<string> => {
    await mesh.attempt(beside(mesh, v3, patch(hook, value)));
    return (await condition(mesh, 'Accepted')).message;
  };
  const place = '`extensions[0].patch.value';
  expect(await refusal('Cluster', '{ conect_timeout: 1s }')).to.include(`${place}.conect_timeout\` is not a field of`);
  expect(await refusal('Cluster', '{ connect_timeout: 1 }')).to.include(
    `${place}.connect_timeout\` must be a duration`,
  );
  expect(await refusal('Cluster', '{ http2_protocol_options: {} }')).to.include('is deprecated');
  expect(await refusal('Cluster', '{ name: mine }')).to.include(`${place}.name\` is what the mesh is made of`);
  expect(
    await refusal(
      'VirtualHost',
      '{ typed_per_filter_config: { mesh.rbac.deny: { "@type": type.googleapis.com/google.protobuf.Struct } } }',
    ),
  ).to.include('belongs to the mesh itself');
  expect(
    await refusal(
      'HttpConnectionManager',
      '{ local_reply_config: { body_format: { text_format_source: { filename: /etc/passwd } } } }',
    ),
  ).to.include('filename` would read what belongs to the proxy');
});

misuse('1.6-patches', 'a patch that Envoy refuses costs nobody anything', async (mesh) => {
  const filter = `{ http_filters: [{ name: mine, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication,
    rules: [{ match: { prefix: / }, requires: { provider_name: nobody } }] } }] }`;
  await mesh.attempt(service('shop', ['v3']), beside(mesh, v3, patch('HttpConnectionManager', filter)));
  await eventually(async () => (await condition(mesh, 'Programmed')).is === 'False RejectedByProxy', {
    what: 'the refusal to be told',
  });
  const { message } = await condition(mesh, 'Programmed');
  expect(message).to.include('`spec.extensions[tune]`').and.include(`rejected by Envoy ${mesh.version}`);
  expect(await mesh.as('web').get('http://shop/')).to.include({ status: 200, by: 'v3' });
});

misuse('1.6-patches', 'a patch that breaks a rule of Envoy is not sent', async (mesh) => {
  await mesh.attempt(service('shop', ['v3']), beside(mesh, v3, patch('Cluster', '{ connect_timeout: 0s }')));
  expectCondition(await condition(mesh, 'Programmed'), 'False RejectedByProxy', 'connect_timeout');
  expect(await mesh.as('web').get('http://shop/')).to.include({ status: 200, by: 'v3' });
});

/** A processor, the Service that leads to it, and a policy that asks it. */
async function withProcessor(
  mesh: TestMesh,
  more: string,
  body: (processor: Processor) => Promise<void>,
): Promise<void> {
  const processor = await startProcessor();
  const name = `proc-${mesh.namespace}`;
  try {
    await mesh.apply(
      service('shop', ['v3']),
      service(name, [processor], { ports: { 9001: 'grpc' }, namespace: mesh.apps }),
      asking(mesh, name, more),
    );
    await body(processor);
  } finally {
    await processor.stop();
  }
}

const asking = (mesh: TestMesh, name: string, more: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: ext-${mesh.namespace}, namespace: ${mesh.apps} }
spec:
  workloadSelector: { matchLabels: { version: v3 } }
  providers: [{ name: marker, type: ExtProc, backendRef: { name: ${name}, port: 9001 } }]
  extensions: [{ name: mark, type: ExtProc, ${more} }]`;

feature('1.6-ext-proc', 'a processor sees what it asked for, and changes it', async (mesh) => {
  const more =
    'config: { tenant: shop }, extProc: { provider: marker, send: [RequestHeaders, RequestBody, ResponseHeaders] }';
  await withProcessor(mesh, more, async (processor) => {
    const answer = await mesh.as('web').ask('http://shop/', { method: 'POST', body: 'hello' });
    expect(answer.headers).to.include({ 'x-response-mark': 'processed' });
    expect(answer.seen?.headers).to.include({ 'x-request-mark': 'processed' });
    expect(processor.seen).to.deep.equal(['requestHeaders', 'requestBody', 'responseHeaders']);
    expect(processor.metadata('tenant')).to.deep.equal(['shop']);
  });
});

feature('1.6-ext-proc', 'onError says what happens when the processor is gone', async (mesh) => {
  const name = `proc-${mesh.namespace}`;
  await withProcessor(mesh, 'extProc: { provider: marker }', async (processor) => {
    expect((await mesh.as('web').get('http://shop/')).status).to.equal(200);
    await processor.stop();
    expect((await mesh.as('web').get('http://shop/')).status).to.equal(500);
    const ignoring = asking(mesh, name, 'onError: Ignore, extProc: { provider: marker }');
    const where = service(name, [processor], { ports: { 9001: 'grpc' }, namespace: mesh.apps });
    await mesh.apply(service('shop', ['v3']), where, ignoring);
    expect(await mesh.as('web').get('http://shop/')).to.include({ status: 200, by: 'v3' });
  });
});

misuse('1.6-ext-proc', 'a provider that is not there is told, and onError holds', async (mesh) => {
  await mesh.attempt(service('shop', ['v3']), asking(mesh, 'nobody', 'extProc: { provider: marker }'));
  const told = await condition(mesh, 'ResolvedRefs');
  expectCondition(told, 'False BackendNotFound', 'nobody', 'requests fare as `onError` says');
  await eventually(async () => (await mesh.as('web').get('http://shop/')).status === 500, {
    what: 'requests to be denied',
  });
  const name = `proc-${mesh.namespace}`;
  await mesh.attempt(
    service(name, [], { ports: { 9001: 'grpc' }, namespace: mesh.apps }),
    asking(mesh, name, 'extProc: { provider: markr }'),
  );
  expectCondition(await condition(mesh, 'ResolvedRefs'), 'False ProviderNotFound', "did you mean 'marker'");
});

const wasm = `{ name: module, type: Wasm, wasm: { url: "https://modules.example/x.wasm", sha256: ${'a'.repeat(64)} } }`;

feature('1.6-wasm', 'a script beside a module runs, and requests pass', async (mesh) => {
  const script = `{ name: mark, type: Lua, lua: ${marks('x-lua', '"in"')} }`;
  await mesh.attempt(service('shop', ['v3']), beside(mesh, v3, `[${wasm}, ${script}]`));
  await eventually(async () => (await header(mesh, 'x-lua')) === 'in', { what: 'the script to run' });
  expectCondition(await condition(mesh, 'Accepted'), 'False UnsupportedValue', "is 'Wasm'");
  return 'refused';
});

misuse('1.6-wasm', 'Wasm is refused with the reason', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v3']),
    beside(mesh, v3, `[${wasm}]`),
    route('fine', 'shop', '  - { name: fine, backendRefs: [{ name: shop, port: 80 }] }'),
  );
  expectCondition(
    await condition(mesh, 'Accepted'),
    'False UnsupportedValue',
    'the control plane does not fetch modules',
  );
  expect(await mesh.as('web').get('http://shop/')).to.include({ status: 200 });
});
