// Calls as a pod's application makes them. Each has a connection of its own, and none is tried again.

import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemClock as clock } from '../../src/lib/clock.js';
import type { Answer, Call, Echo } from './orders.js';
import { sharedKey, tlsOptions } from './pod-servers.js';

type Outcome = Pick<Answer, 'status' | 'text'>;

const usualPatienceMs = 5_000;
const failed = (error: Error): Outcome => ({ status: 0, text: error.message });

function askHttp({
  address,
  port,
  name = 'localhost',
  path = '/',
  id,
  patienceMs = usualPatienceMs,
}: Call): Promise<Outcome> {
  return new Promise((resolve) => {
    const headers = { host: name, ...(id === undefined ? {} : { 'x-id': id }) };
    const options = { host: address, port, path, headers, agent: false, timeout: patienceMs };
    const outgoing = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', (error) => {
        resolve(failed(error));
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', (error) => {
      resolve(failed(error));
    });
    outgoing.end();
  });
}

/** One line from a server that speaks first. */
function firstLine(socket: Socket, patienceMs = usualPatienceMs): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      resolve({ status: 200, text });
      socket.destroy();
    });
    socket.on('error', (error) => {
      resolve(failed(error));
    });
    socket.on('close', () => {
      resolve({ status: 0, text: 'closed without an answer' });
    });
  });
}

function outcomeOf(asked: Call): Promise<Outcome> {
  const { manner, address: host, port, name } = asked;
  if (manner === 'http') return askHttp(asked);
  if (manner === 'banner') return firstLine(connect({ host, port }), asked.patienceMs);
  const options = {
    ...{ host, port, ...tlsOptions, pskCallback: () => sharedKey, checkServerIdentity: () => undefined },
    ...(name === undefined ? {} : { servername: name }),
  };
  return firstLine(connectTls(options), asked.patienceMs);
}

const echoIn = ({ status, text }: Outcome): Echo | undefined =>
  status === 200 && text.startsWith('{') ? (JSON.parse(text) as Echo) : undefined;

/** Calls; never rejects. */
export async function call(asked: Call): Promise<Answer> {
  const started = clock.now();
  const outcome = await outcomeOf(asked);
  return { ...outcome, ms: clock.now() - started, echo: echoIn(outcome) };
}
