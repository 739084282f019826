// The reference transport: grpc-js. Bytes in, bytes out: messages pass as they are.

import * as grpc from '@grpc/grpc-js';
import { OperationalError } from '../lib/result.js';
import { limits, methodNames, servicePath, type Call, type Listen, type Open, type Transport } from './transport.js';
import { messageIn } from './wire.js';

const passBytes = (bytes: Buffer): Buffer => bytes;

const method = (name: string): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `${servicePath}/${name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: passBytes,
  requestDeserialize: passBytes,
  responseSerialize: passBytes,
  responseDeserialize: passBytes,
});

const options: grpc.ServerOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': limits.keepaliveMs,
  'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
  'grpc.max_receive_message_length': limits.messageBytes,
  'grpc.max_concurrent_streams': limits.streamsPerSession,
  'grpc.max_connection_idle_ms': limits.idleMs,
};

/** Messages that may be on their way before a stream waits. */
const underwayAllowed = 16;

function callOf(call: grpc.ServerInterceptingCallInterface): Call {
  let underway = 0;
  let drained: (() => void) | undefined;
  return {
    write: (framed, done) => {
      underway++;
      call.sendMessage(messageIn(framed), () => {
        underway--;
        done?.();
        if (underway > 0 || drained === undefined) return;
        const resume = drained;
        drained = undefined;
        resume();
      });
      return underway < underwayAllowed;
    },
    onDrain: (resume) => {
      drained = resume;
    },
    fail: (code, message) => {
      // Half a character, as a text that was cut may end with, would make grpc-js throw.
      call.sendStatus({ code: grpc.status[code], details: message.toWellFormed() });
    },
  };
}

/**
 * Takes a call over from grpc-js before it makes a stream of it: streams of objects, with their events and buffers,
 * would cost more than all that we do with a message. The handler of the method is never called.
 */
const takingOver =
  (open: Open) =>
  (call: grpc.ServerInterceptingCallInterface): grpc.ServerInterceptingCall => {
    const start = (): void => {
      const receiver = open(callOf(call));
      const next = (): void => {
        call.startRead();
      };
      call.start({
        onReceiveMetadata: next,
        onReceiveMessage: (bytes: Buffer) => {
          receiver.receive(bytes, next);
        },
        onReceiveHalfClose: () => {
          call.sendStatus({ code: grpc.status.OK, details: '' });
        },
        onCancel: () => {
          receiver.gone();
        },
      });
    };
    return new grpc.ServerInterceptingCall(call, { start });
  };

const neverCalled = (call: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
  call.emit('error', { code: grpc.status.INTERNAL });
};

/** Serves by grpc-js. */
export const listenGrpc: Listen = async ({ opens, clock }, address): Promise<Transport> => {
  const takeOver = { delta: takingOver(opens.delta), sotw: takingOver(opens.sotw) };
  const server = new grpc.Server({
    ...options,
    interceptors: [({ path }, call) => takeOver[path.endsWith(`/${methodNames.delta}`) ? 'delta' : 'sotw'](call)],
  });
  server.addService(
    {
      StreamAggregatedResources: method(methodNames.sotw),
      DeltaAggregatedResources: method(methodNames.delta),
    },
    { StreamAggregatedResources: neverCalled, DeltaAggregatedResources: neverCalled },
  );
  const port = await bind(server, address);
  return {
    port,
    stop: async () => {
      const left = new AbortController();
      server.tryShutdown(() => {
        left.abort();
      });
      await clock.sleep(limits.farewellMs, left.signal);
      server.forceShutdown();
    },
  };
};

function bind(server: grpc.Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else
        reject(new OperationalError('AddressInUse', `cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}
