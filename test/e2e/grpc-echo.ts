// A real gRPC server, and a caller that streams to it through the proxy of a pod: messages are text, as bytes.

import grpc from '@grpc/grpc-js';

const bytesOf = (bytes: Buffer): Buffer => bytes;

/** The one method, with streams in both directions; any name, since a rule chooses by name. */
const method = (path: string): grpc.MethodDefinition<Buffer, Buffer> => ({
  ...{ path, requestStream: true, responseStream: true },
  ...{
    requestSerialize: bytesOf,
    requestDeserialize: bytesOf,
    responseSerialize: bytesOf,
    responseDeserialize: bytesOf,
  },
});

/** Where the server listens, and what it answers with. */
export interface GrpcEcho {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly methods: readonly string[];
}

/** Answers every message with `<name> <message>` at once, and ends well; resolves to what stops it. */
export async function startGrpcEcho({ name, address, port, methods }: GrpcEcho): Promise<() => void> {
  const server = new grpc.Server();
  const echo = (call: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
    call.on('data', (message: Buffer) => call.write(Buffer.from(`${name} ${message.toString()}`)));
    call.on('end', () => {
      call.end();
    });
  };
  for (const path of methods) server.addService({ echo: method(path) }, { echo });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${address}:${String(port)}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return () => {
    server.forceShutdown();
  };
}

/** Sends each message once the one before is answered. Resolves to the answers and, last, the code of the status. */
export function converse(
  proxy: string,
  { host, path, messages }: { readonly host: string; readonly path: string; readonly messages: readonly string[] },
): Promise<readonly string[]> {
  const client = new grpc.Client(proxy, grpc.credentials.createInsecure(), { 'grpc.default_authority': host });
  const { requestSerialize, responseDeserialize } = method(path);
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const answers: string[] = [];
  const say = (): void => {
    const next = messages[answers.length];
    if (next === undefined) call.end();
    else call.write(Buffer.from(next));
  };
  return new Promise((resolve) => {
    call.on('error', () => undefined);
    call.on('data', (answer: Buffer) => {
      answers.push(answer.toString());
      say();
    });
    call.on('status', ({ code }: grpc.StatusObject) => {
      client.close();
      resolve([...answers, String(code)]);
    });
    say();
  });
}
