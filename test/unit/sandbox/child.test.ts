// Children under supervision, with real processes and a clock that only moves when told.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Clock, systemClock } from '../../../src/lib/clock.js';
import { type Child, type ChildEvent, restartPauseMs, startChild } from '../../../src/sandbox/child.js';
import { guard, guardOrder } from '../../../src/sandbox/guard.js';
import { lastLines } from '../../../src/sandbox/run-folder.js';

describe('sandbox: children', () => {
  let folder = '';
  let events: ChildEvent[];
  let waiters: (() => void)[];
  let scheduled: { delayMs: number; action: () => void }[];
  let child: Child | undefined;

  const clock: Clock = {
    now: () => 0,
    sleep: () => Promise.resolve(),
    schedule: (delayMs, action) => {
      const entry = { delayMs, action };
      scheduled.push(entry);
      return () => {
        scheduled = scheduled.filter((each) => each !== entry);
      };
    },
  };

  const eventOf = async (kind: ChildEvent['kind'], count: number): Promise<ChildEvent> => {
    for (;;) {
      const found = events.filter((event) => event.kind === kind)[count - 1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
  };

  function start(script: string, command = '/bin/sh'): Child {
    const spec = { name: 'it', command, args: ['-c', script], input: 'orders', logFile: join(folder, 'log') } as const;
    const onEvent = (event: ChildEvent): void => {
      events.push(event);
      for (const wake of waiters.splice(0)) wake();
    };
    child = startChild(spec, { spawn, clock, onEvent });
    return child;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
    events = [];
    waiters = [];
    scheduled = [];
  });
  afterEach(async () => {
    await child?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('restarts at once, then after growing pauses', async () => {
    expect([1, 2, 3, 4, 5, 20].map(restartPauseMs)).to.deep.equal([0, 250, 500, 1000, 2000, 10_000]);
    start('echo "line $$"; exit 3');
    expect(await eventOf('ended', 1)).to.include({ how: 'exit code 3', wanted: false });
    expect(scheduled.map((entry) => entry.delayMs)).to.deep.equal([0]);
    scheduled.shift()?.action();
    expect(await eventOf('started', 2)).to.include({ restarts: 1 });
    await eventOf('ended', 2);
    expect(scheduled.map((entry) => entry.delayMs)).to.deep.equal([250]);
    expect(lastLines(join(folder, 'log'), 1)[0]).to.match(/^line \d+$/);
  });

  it('stops by SIGTERM, and does not restart', async () => {
    const running = start('exec sleep 60');
    const started = await eventOf('started', 1);
    expect(running.pid()).to.equal(started.pid);
    await running.stop();
    expect(await eventOf('ended', 1)).to.include({ how: 'signal SIGTERM', wanted: true });
    expect(running.pid()).to.equal(undefined);
    expect(scheduled).to.deep.equal([]);
  });

  it('uses SIGKILL on one that does not listen, after five seconds', async () => {
    const running = start('trap "" TERM; echo deaf; while :; do sleep 0.05; done');
    while (!(await readFile(join(folder, 'log'), 'utf8')).includes('deaf')) await systemClock.sleep(5);
    const stopped = running.stop();
    const [kill] = scheduled;
    expect(kill?.delayMs).to.equal(5000);
    kill?.action();
    await stopped;
    expect(await eventOf('ended', 1)).to.include({ how: 'signal SIGKILL' });
  });

  it('takes orders on standard input', async () => {
    start('read line; echo "got $line"; exit 0').send('hello');
    await eventOf('ended', 1);
    expect(lastLines(join(folder, 'log'), 1)).to.deep.equal(['got hello']);
  });

  it('reports a program that is not there', async () => {
    start('', '/nonexistent/program');
    const ended = await eventOf('ended', 1);
    expect(ended.kind === 'ended' ? ended.how : '').to.include('ENOENT');
  });
});

describe('sandbox: guard', () => {
  async function* orders(...lines: readonly string[]): AsyncGenerator<string> {
    yield* lines;
    await Promise.resolve();
  }

  it('ends what still runs when its orders end: first gently, then not', async () => {
    const signals: string[] = [];
    let now = 0;
    const alive = new Set([11, 12]);
    await guard(orders(guardOrder.watch(10), guardOrder.watch(11), guardOrder.watch(12), guardOrder.forget(10)), {
      clock: {
        now: () => now,
        sleep: (delayMs) => {
          now += delayMs;
          return Promise.resolve();
        },
        schedule: () => () => undefined,
      },
      signal: (pid, name) => {
        if (name !== 0) signals.push(`${name} ${pid}`);
        if (pid === 11 && name === 'SIGTERM') alive.delete(pid);
        return alive.has(pid);
      },
    });
    expect(signals).to.deep.equal(['SIGTERM 11', 'SIGTERM 12', 'SIGKILL 12']);
  });

  it('never signals a group or init, whatever it reads', async () => {
    const signalled: number[] = [];
    await guard(orders('+0', '+1', '+-5', '+', '+x', '+1.5'), {
      clock: { now: () => 0, sleep: () => Promise.resolve(), schedule: () => () => undefined },
      signal: (pid) => {
        signalled.push(pid);
        return false;
      },
    });
    expect(signalled).to.deep.equal([]);
  });
});
