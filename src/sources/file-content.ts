// One file to its objects: reads it within limits, parses its documents, and gives every problem its line. Unchanged
// documents give the same objects again. Knows nothing of other files.

import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { refOf } from '../api/meta.js';
import type { ObjectRef } from '../api/meta.js';
import { optional } from '../kinds/reader.js';
import type { Problem } from '../lib/result.js';
import { messageOf } from '../lib/result.js';
import { maxDocuments, splitDocuments } from './documents.js';
import type { DocumentReader, TextPiece } from './documents.js';
import { hashOf } from './fingerprint.js';
import { readObject } from './parse-object.js';
import type { Reading } from './parse-object.js';
import type { TextFinding, TextObject } from './yaml-text.js';

/** Something to tell a user about a place in a file. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly object?: ObjectRef;
  /** Field path inside the object. */
  readonly path?: string;
  readonly message: string;
}

/** One object of a file. */
export interface FileItem {
  readonly reading: Reading;
  readonly file: string;
  readonly line: number;
  /** Where to look for its fields. */
  readonly piece: TextPiece;
  readonly prefix: string;
}

/** What a file holds. */
export interface FileContent {
  readonly hash: string;
  /** True where some of it does not parse: then none of it is certain. */
  readonly failed: boolean;
  readonly items: readonly FileItem[];
  readonly diagnostics: readonly Diagnostic[];
  readonly pieces: ReadonlyMap<string, PieceContent>;
}

/** What one piece of a file holds. */
export interface PieceContent {
  readonly failed: boolean;
  readonly items: readonly FileItem[];
  readonly diagnostics: readonly Diagnostic[];
}

/** What an item of a list counts for when turns are taken. */
const itemLength = 256;

/** 8 MiB. */
export const maxFileBytes = 8 * 1024 * 1024;

/** A content that could not be read, for the reason given. */
export function unreadable(file: string, message: string, hash = ''): FileContent {
  const diagnostic: Diagnostic = { severity: 'error', file, line: 1, message };
  return { hash, failed: true, items: [], diagnostics: [diagnostic], pieces: new Map() };
}

/** The message for a file that is too large. */
export const tooLarge = (bytes: number): string =>
  `a file must not be larger than 8 MiB; this one has ${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** Reads at most `size` bytes. */
async function readUpTo(file: FileHandle, size: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(buffer, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** The bytes of a file, never more than the limit; or what is wrong with it. */
export async function readBytes(path: string): Promise<{ readonly bytes: Uint8Array } | { readonly problem: string }> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      return size > maxFileBytes ? { problem: tooLarge(size) } : { bytes: await readUpTo(file, size) };
    } finally {
      await file.close();
    }
  } catch (thrown) {
    return { problem: `cannot be read: ${messageOf(thrown)}` };
  }
}

function decode(bytes: Uint8Array): { readonly text: string } | { readonly problem: string } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\u0000') ? { problem: 'holds a NUL byte: not a text file, or half written' } : { text };
  } catch {
    return { problem: 'is not UTF-8' };
  }
}

const fromFinding = (file: string, finding: TextFinding): Diagnostic => ({ file, ...finding });

interface Complaint {
  readonly severity: 'error' | 'warning';
  readonly object?: ObjectRef;
  readonly problem: Problem;
  /** Path from the top of the document. */
  readonly full: string;
}

function refOfReading(reading: Reading): ObjectRef | undefined {
  if (reading.kind !== 'object') return undefined;
  return reading.parsed.ok ? refOf(reading.parsed.object) : reading.parsed.malformed.ref;
}

function complaintsOf(reading: Reading, prefix: string): readonly Complaint[] {
  const about = optional('object', refOfReading(reading));
  const complain = (severity: 'error' | 'warning', problems: readonly Problem[]): readonly Complaint[] =>
    problems.map((problem) => ({
      severity,
      ...about,
      problem,
      full: [prefix, problem.path].filter((part) => part !== '').join('.'),
    }));
  if (reading.kind === 'refused') return complain('error', reading.problems);
  if (reading.kind !== 'object') return [];
  const errors = reading.parsed.ok ? [] : reading.parsed.malformed.problems;
  return [...complain('error', errors), ...complain('warning', reading.warnings)];
}

const itemOf = (file: string, piece: TextPiece, object: TextObject): FileItem => ({
  reading: readObject(object.value, { folder: true, place: { file, line: object.line } }),
  file,
  line: object.line,
  piece,
  prefix: object.prefix,
});

/** Reads a piece of `file`; problems of fields get the line of the field. */
async function readPieceOf(file: string, piece: TextPiece, reader: DocumentReader): Promise<PieceContent> {
  const { objects, findings } = await reader.read(piece);
  const failed = findings.some((finding) => finding.severity === 'error');
  const items: FileItem[] = [];
  for (const object of failed ? [] : objects) {
    if (object.prefix !== '') await reader.takeTurn(itemLength);
    items.push(itemOf(file, piece, object));
  }
  // What is of no concern to us is nobody's business: a workflow file may well say `on:`.
  const concerned = failed || items.some((item) => item.reading.kind !== 'skipped');
  const complaints = items.flatMap((item) => complaintsOf(item.reading, item.prefix));
  const positions = await reader.locate(
    piece,
    complaints.map((complaint) => complaint.full),
  );
  const located = complaints.map(({ severity, object, problem }, index): Diagnostic => ({
    severity,
    file,
    ...(positions[index] ?? { line: piece.line }),
    ...optional('object', object),
    ...optional('path', problem.path === '' ? undefined : problem.path),
    message: problem.message,
  }));
  return {
    failed,
    items,
    diagnostics: [...(concerned ? findings.map((finding) => fromFinding(file, finding)) : []), ...located],
  };
}

/** What to read, with what. */
export interface ContentRequest {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly reader: DocumentReader;
  /** The content before: it is returned where the bytes are the same, and its unchanged pieces are kept. */
  readonly before?: FileContent | undefined;
}

/** The content of a file. */
export async function readContent({ file, bytes, reader, before }: ContentRequest): Promise<FileContent> {
  const hash = hashOf(bytes);
  if (before?.hash === hash) return before;
  const decoded = decode(bytes);
  if ('problem' in decoded) return unreadable(file, decoded.problem, hash);
  const pieces = new Map<string, PieceContent>();
  const split = splitDocuments(decoded.text);
  if (split === undefined) {
    return unreadable(file, `a file must not have more than ${String(maxDocuments)} documents`, hash);
  }
  for (const piece of split) {
    const key = `${String(piece.line)}:${hashOf(piece.text)}`;
    pieces.set(key, before?.pieces.get(key) ?? (await readPieceOf(file, piece, reader)));
  }
  const all = [...pieces.values()];
  return {
    hash,
    failed: all.some((piece) => piece.failed),
    items: all.flatMap((piece) => piece.items),
    diagnostics: all.flatMap((piece) => piece.diagnostics),
    pieces,
  };
}
