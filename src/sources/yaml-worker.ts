// The thread that reads large pieces of YAML, so that a hostile one stalls this thread alone. Started by documents.ts;
// a bundle must ship it as a file of its own beside the main one.

import { isMainThread, parentPort } from 'node:worker_threads';
import { locatePaths, readPiece } from './yaml-text.js';
import type { PieceReading, TextPosition } from './yaml-text.js';

/** What the thread is asked: to read a piece, or to find paths in it. */
export interface WorkerRequest {
  readonly id: number;
  readonly text: string;
  readonly paths?: readonly string[];
}

/** What it answers. Objects come in batches: receiving one large message would stall the receiver. */
export interface WorkerReply {
  readonly id: number;
  readonly done: boolean;
  readonly reading: PieceReading;
  readonly positions: readonly TextPosition[];
}

const batch = 100;

function answer(request: WorkerRequest, post: (reply: WorkerReply) => void): void {
  const { id, text, paths } = request;
  if (paths !== undefined) {
    post({ id, done: true, reading: { objects: [], findings: [] }, positions: locatePaths(text, paths) });
    return;
  }
  const { objects, findings } = readPiece(text);
  for (let start = 0; start < objects.length; start += batch) {
    const part = { objects: objects.slice(start, start + batch), findings: [] };
    post({ id, done: false, reading: part, positions: [] });
  }
  post({ id, done: true, reading: { objects: [], findings }, positions: [] });
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  port.on('message', (request: WorkerRequest) => {
    answer(request, (reply) => {
      port.postMessage(reply);
    });
  });
}
