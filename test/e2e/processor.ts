// An external processor for tests: a real gRPC server on loopback that marks what it sees.

import * as grpc from '@grpc/grpc-js';
import { ProcessingRequest, ProcessingResponse } from '../../src/gen/envoy/service/ext_proc/v3/external_processor.js';
import { type BareServer, ports } from './world.js';

/** A running processor. */
export interface Processor extends BareServer {
  /** Kinds of messages that it was sent, in order: `requestHeaders`, … */
  readonly seen: readonly string[];
  /** Values of a piece of metadata, one for each stream. */
  metadata(key: string): readonly string[];
}

const marking = (header: string) => ({
  response: {
    headerMutation: { setHeaders: [{ header: { key: header, rawValue: Buffer.from('processed') } }] },
  },
});

/** Marks the headers of requests and answers; lets everything else pass. */
function answerTo({ request }: ProcessingRequest): ProcessingResponse {
  switch (request?.$case) {
    case 'requestHeaders':
      return ProcessingResponse.fromPartial({ response: { $case: request.$case, value: marking('x-request-mark') } });
    case 'responseHeaders':
      return ProcessingResponse.fromPartial({ response: { $case: request.$case, value: marking('x-response-mark') } });
    case 'requestBody':
    case 'responseBody':
      return ProcessingResponse.fromPartial({ response: { $case: request.$case, value: {} } });
    default:
      return ProcessingResponse.fromPartial({});
  }
}

const service = {
  Process: {
    path: '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
    requestStream: true,
    responseStream: true,
    requestSerialize: (message: ProcessingRequest) => Buffer.from(ProcessingRequest.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => ProcessingRequest.decode(bytes),
    responseSerialize: (message: ProcessingResponse) => Buffer.from(ProcessingResponse.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => ProcessingResponse.decode(bytes),
  },
} as const;

let processors = 0;

/** Starts a processor where a Service finds its port `grpc`. */
export async function startProcessor(): Promise<Processor> {
  processors += 1;
  const address = `127.${String(190 + (process.pid % 50))}.${String(Math.floor(processors / 250))}.${String(1 + (processors % 250))}`;
  const seen: string[] = [];
  const streams: grpc.Metadata[] = [];
  const server = new grpc.Server();
  server.addService(service, {
    Process: (call: grpc.ServerDuplexStream<ProcessingRequest, ProcessingResponse>) => {
      streams.push(call.metadata);
      call.on('data', (message: ProcessingRequest) => {
        seen.push(message.request?.$case ?? '');
        call.write(answerTo(message));
      });
      call.on('error', () => undefined);
      call.on('end', () => {
        call.end();
      });
    },
  });
  await new Promise<void>((resolve, reject) => {
    const where = `${address}:${String(ports.grpc)}`;
    server.bindAsync(where, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return {
    name: `processor-${String(processors)}`,
    address,
    seen,
    metadata: (key) => streams.flatMap((metadata) => metadata.get(key).map(String)),
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}
