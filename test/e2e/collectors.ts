// What proxies report to, on real ports: OTLP and access logs over gRPC, Zipkin over HTTP. Each keeps what it received.

import { createServer, type Server } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import type { Written } from '../envoy/objects.js';
import { type Fields, fieldsOf } from './wire-fields.js';

/** A collector on a loopback port. */
export interface Collector<Item> {
  readonly port: number;
  readonly received: () => readonly Item[];
  stop(): Promise<void>;
}

/** A span, by whichever protocol it came. */
export interface Span {
  readonly trace: string;
  readonly id: string;
  readonly parent: string;
  readonly kind: string;
  readonly service: string;
  readonly tags: Readonly<Record<string, string>>;
}

const raw = (path: string, streams: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: streams,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
});

interface Method<Item> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly streams: boolean;
  readonly itemsIn: (message: Buffer) => readonly Item[];
}

async function grpcCollector<Item>({ path, streams, itemsIn }: Method<Item>): Promise<Collector<Item>> {
  const items: Item[] = [];
  const server = new grpc.Server();
  const take = (message: Buffer): void => {
    items.push(...itemsIn(message));
  };
  const handler = streams
    ? (call: grpc.ServerReadableStream<Buffer, Buffer>): void => void call.on('data', take)
    : (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>): void => {
        take(call.request);
        done(null, Buffer.alloc(0));
      };
  server.addService({ call: raw(path, streams) }, { call: handler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    port,
    received: () => items,
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

const kinds: Readonly<Record<string, string>> = { '2': 'SERVER', '3': 'CLIENT' };

/** `{ key: 1, value: 2 { string: 1 } }`. */
const attributesIn = (owner: Fields, field: number): Readonly<Record<string, string>> =>
  Object.fromEntries(owner.messages(field).map((one) => [one.text(1), one.messages(2)[0]?.text(1) ?? '']));

const spanOf = (span: Fields, service: string): Span => ({
  trace: span.hex(1),
  id: span.hex(2),
  parent: span.hex(4),
  kind: kinds[String(span.number(6))] ?? '',
  service,
  tags: attributesIn(span, 9),
});

/** Traces over OTLP. */
export const otlpTraces = (): Promise<Collector<Span>> =>
  grpcCollector({
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    streams: false,
    itemsIn: (message) =>
      fieldsOf(message)
        .messages(1)
        .flatMap((resource) => {
          const [about] = resource.messages(1);
          const service = about === undefined ? '' : (attributesIn(about, 1)['service.name'] ?? '');
          return resource.messages(2).flatMap((scope) => scope.messages(2).map((span) => spanOf(span, service)));
        }),
  });

/** Log lines over OTLP, by their attributes. */
export const otlpLogs = (): Promise<Collector<Readonly<Record<string, string>>>> =>
  grpcCollector({
    path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    streams: false,
    itemsIn: (message) =>
      fieldsOf(message)
        .messages(1)
        .flatMap((resource) => resource.messages(2))
        .flatMap((scope) => scope.messages(2))
        .map((record) => attributesIn(record, 6)),
  });

/** A number of a counter, as it was pushed. */
export interface Count {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** `fixed64`, as protobuf writes it. */
const numberOf = (hex: string): number => (hex === '' ? 0 : Number(Buffer.from(hex, 'hex').readBigInt64LE()));

/** Counters over OTLP. */
export const otlpCounters = (): Promise<Collector<Count>> =>
  grpcCollector({
    path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    streams: false,
    itemsIn: (message) =>
      fieldsOf(message)
        .messages(1)
        .flatMap((resource) => resource.messages(2))
        .flatMap((scope) => scope.messages(2))
        .flatMap((metric) =>
          metric
            .messages(7)
            .flatMap((total) => total.messages(1))
            .map((point) => ({
              metric: metric.text(1),
              labels: attributesIn(point, 7),
              value: numberOf(point.hex(6)),
            })),
        ),
  });

/** Rules named by log entries of Envoy's own protocol. */
export const accessLogEntries = (): Promise<Collector<{ readonly rule: string }>> =>
  grpcCollector({
    path: '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
    streams: true,
    itemsIn: (message) =>
      fieldsOf(message)
        .messages(2)
        .flatMap((logs) => logs.messages(1))
        .map((entry) => ({ rule: entry.messages(1)[0]?.text(19) ?? '' })),
  });

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind?: string;
  readonly localEndpoint?: { readonly serviceName?: string };
  readonly tags?: Readonly<Record<string, string>>;
}

const fromZipkin = (span: ZipkinSpan): Span => ({
  trace: span.traceId,
  id: span.id,
  parent: span.parentId ?? '',
  kind: span.kind ?? '',
  service: span.localEndpoint?.serviceName ?? '',
  tags: span.tags ?? {},
});

/** Traces over Zipkin's HTTP API; the path that they came to is part of `received`. */
export async function zipkinTraces(): Promise<Collector<Span & { readonly path: string }>> {
  const items: (Span & { readonly path: string })[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const spans = JSON.parse(Buffer.concat(chunks).toString()) as readonly ZipkinSpan[];
      items.push(...spans.map((span) => ({ ...fromZipkin(span), path: request.url ?? '' })));
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    received: () => items,
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

/** A Service that leads to a collector of this process. */
export const collectorService = (name: string, port: number, appProtocol: 'grpc' | 'http'): readonly Written[] => [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ name: 'main', port: 4317, appProtocol }] },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'main', port, appProtocol }],
    endpoints: [{ addresses: ['127.0.0.1'] }],
  },
];
