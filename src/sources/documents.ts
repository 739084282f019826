// Text of a file to pieces and objects: splits at document markers, reads small pieces at once and large ones in a
// worker thread, so that no text stalls the loop. Knows neither files nor kinds.

import { Worker } from 'node:worker_threads';
import type { Clock } from '../lib/clock.js';
import { messageOf } from '../lib/result.js';
import type { WorkerReply, WorkerRequest } from './yaml-worker.js';
import { locatePaths, readPiece } from './yaml-text.js';
import type { PieceReading, TextFinding, TextObject, TextPosition } from './yaml-text.js';

/** A stretch of a file between two document markers. */
export interface TextPiece {
  readonly text: string;
  /** Line of the file on which `text` begins, from 1. */
  readonly line: number;
}

/** Reads pieces; lines of its answers are those of the file. */
export interface DocumentReader {
  read(piece: TextPiece): Promise<PieceReading>;
  locate(piece: TextPiece, paths: readonly string[]): Promise<readonly TextPosition[]>;
  /** Lets others run, where work of about this many characters is enough for now. */
  takeTurn(length: number): Promise<void>;
  /** Ends the worker, if one was needed. */
  close(): Promise<void>;
}

/** Larger pieces, and those of many brackets, are read in the worker. */
const smallPiece = { length: 4096, brackets: 128 } as const;
/** The loop gets a turn after this many characters, or milliseconds, whichever comes first. */
const slice = { length: 24_576, ms: 10 } as const;
const workerTimeoutMs = 20_000;

/** The most documents that a file may have. */
export const maxDocuments = 10_000;

function newlinesIn(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/**
 * Pieces of `text`, without those that hold nothing; `undefined` where there are too many. A marker begins its line
 * whatever surrounds it: YAML itself says so.
 */
export function splitDocuments(text: string): readonly TextPiece[] | undefined {
  const pieces: TextPiece[] = [];
  let start = 0;
  let line = 1;
  let cuts = 0;
  const cut = (end: number): void => {
    const piece = text.slice(start, end);
    if (!/^(?:---)?\s*$/.test(piece)) pieces.push({ text: piece, line });
    line += newlinesIn(text, start, end);
    start = end;
  };
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    cuts += 1;
    if (cuts > maxDocuments) return undefined;
    // The pattern takes other characters for line ends, too; YAML does not.
    if (marker.index === 0 || text[marker.index - 1] === '\n') cut(marker.index);
  }
  cut(text.length);
  return pieces;
}

/** True for a piece that holds nothing but comments, blank lines and its marker. */
const isBlank = (text: string): boolean => !/^(?!---[^\S\n]*(?:#.*)?$)[^\S\n]*[^\s#]/m.test(text);

function isSmall(text: string): boolean {
  if (text.length > smallPiece.length) return false;
  let brackets = 0;
  for (const character of text) if (character === '[' || character === '{') brackets += 1;
  return brackets <= smallPiece.brackets;
}

const moved = <T extends { readonly line: number }>(item: T, piece: TextPiece): T => ({
  ...item,
  line: item.line + piece.line - 1,
});

const failed = (message: string): PieceReading => ({
  objects: [],
  findings: [{ severity: 'error', line: 1, column: 1, message }],
});

interface Answer {
  readonly reading: PieceReading;
  readonly positions: readonly TextPosition[];
}

/** One large piece at a time: a second one waits, so that memory stays bounded. */
function createWorkerQueue(clock: Clock): {
  ask(text: string, paths?: readonly string[]): Promise<Answer>;
  close(): Promise<void>;
} {
  let worker: Worker | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let nextId = 0;

  function start(): Worker {
    if (worker !== undefined) return worker;
    const file = import.meta.url.endsWith('.ts') ? './yaml-worker.ts' : './yaml-worker.js';
    const started = new Worker(new URL(file, import.meta.url));
    started.unref();
    worker = started;
    return started;
  }

  async function end(): Promise<void> {
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  }

  function exchange(request: WorkerRequest): Promise<Answer> {
    const thread = start();
    thread.ref();
    const objects: TextObject[] = [];
    return new Promise((resolve) => {
      const finish = (findings: readonly TextFinding[], positions: readonly TextPosition[]): void => {
        cancel();
        thread.off('message', onMessage);
        thread.off('error', onError);
        thread.unref();
        resolve({ reading: { objects, findings }, positions });
      };
      const give = (message: string): void => {
        objects.length = 0;
        finish(failed(message).findings, []);
        void end();
      };
      const onMessage = (reply: WorkerReply): void => {
        if (reply.id !== request.id) return;
        objects.push(...reply.reading.objects);
        if (reply.done) finish(reply.reading.findings, reply.positions);
      };
      const onError = (thrown: unknown): void => {
        give(`cannot be parsed: ${messageOf(thrown)}`);
      };
      const cancel = clock.schedule(workerTimeoutMs, () => {
        give(`takes longer than ${String(workerTimeoutMs / 1000)} s to parse; split the file`);
      });
      thread.on('message', onMessage);
      thread.on('error', onError);
      thread.postMessage(request);
    });
  }

  return {
    ask(text, paths) {
      nextId += 1;
      const request: WorkerRequest = { id: nextId, text, ...(paths === undefined ? {} : { paths }) };
      const answer = last.then(() => exchange(request));
      last = answer;
      return answer;
    },
    close: end,
  };
}

// Directives would change what plain words mean, and two documents without a marker between them are read as one by
// kubectl: neither is worth supporting.
function refuseDirective(text: string): PieceReading | undefined {
  const match = /^%/m.exec(text);
  if (match === null) return undefined;
  const line = text.slice(0, match.index).split('\n').length;
  const message = 'YAML directives (%YAML, %TAG) are not supported';
  return { objects: [], findings: [{ severity: 'error', line, column: 1, message }] };
}

/** A reader of pieces; its worker starts with the first large piece. */
export function createDocumentReader(clock: Clock): DocumentReader {
  const queue = createWorkerQueue(clock);
  let sinceTurn = 0;
  let lastTurn = clock.now();

  async function takeTurn(length: number): Promise<void> {
    sinceTurn += length;
    if (sinceTurn < slice.length && clock.now() - lastTurn < slice.ms) return;
    await clock.sleep(0);
    sinceTurn = 0;
    lastTurn = clock.now();
  }

  async function readText(text: string): Promise<PieceReading> {
    if (isBlank(text)) return { objects: [], findings: [] };
    const refused = refuseDirective(text);
    if (refused !== undefined) return refused;
    if (!isSmall(text)) return (await queue.ask(text)).reading;
    await takeTurn(text.length);
    return readPiece(text);
  }

  return {
    async read(piece) {
      const { objects, findings } = await readText(piece.text);
      return {
        objects: objects.map((object) => moved(object, piece)),
        findings: findings.map((finding) => moved(finding, piece)),
      };
    },
    async locate(piece, paths) {
      if (paths.length === 0) return [];
      await takeTurn(piece.text.length);
      const small = isSmall(piece.text);
      const positions = small ? locatePaths(piece.text, paths) : (await queue.ask(piece.text, paths)).positions;
      return positions.map((position) => moved(position, piece));
    },
    takeTurn,
    close: () => queue.close(),
  };
}
