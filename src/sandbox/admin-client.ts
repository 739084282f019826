// GET requests to the two admin interfaces: an Envoy's on a unix socket, the control plane's on a loopback port.
// Whatever goes wrong is "no answer": both come and go.

import { get, type IncomingMessage, type RequestOptions } from 'node:http';

/** An answer; undefined when none came. */
export type AdminAnswer = { readonly status: number; readonly body: string } | undefined;

/** Where an admin interface is. */
export type AdminPlace = { readonly socket: string } | { readonly address: string; readonly port: number };

const timeoutMs = 3000;

/** Asks for one path. */
export async function askAdmin(place: AdminPlace, path: string): Promise<AdminAnswer> {
  const { promise, resolve } = Promise.withResolvers<AdminAnswer>();
  const nothing = (): void => {
    resolve(undefined);
  };
  const request = get({ ...optionsOf(place), path, timeout: timeoutMs, agent: false }, (response) => {
    readAll(response).then((body) => {
      resolve({ status: response.statusCode ?? 0, body });
    }, nothing);
  });
  request.once('timeout', () => request.destroy());
  request.once('error', nothing);
  return promise;
}

function optionsOf(place: AdminPlace): RequestOptions {
  if ('socket' in place) return { socketPath: place.socket, host: 'envoy' };
  return { host: place.address, port: place.port };
}

async function readAll(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return body;
}
