// Puts the picture on the terminal in place, or lines where there is none. Must not know what is shown.

/** Where text goes. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Size of the terminal now. */
  size(): { readonly columns: number; readonly rows: number };
}

/** Draws and prints. */
export interface Screen {
  /** Replaces the picture; only on a terminal. */
  draw(lines: readonly string[]): void;
  /** Adds a line; only where there is no picture. */
  print(line: string): void;
}

const home = '\u001b[H';
const clearScreen = '\u001b[2J';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';

/** A screen; `picture` is false where nobody wants one, and then all is lines. */
export function createScreen(output: Output, picture: boolean): Screen {
  let drawn = false;
  return {
    draw: (lines) => {
      if (!picture) return;
      const start = drawn ? home : `${clearScreen}${home}`;
      drawn = true;
      output.write(`${start}${lines.map((line) => `${line}${clearLine}\r\n`).join('')}${clearBelow}`);
    },
    print: (line) => {
      if (!picture) output.write(`${line}\n`);
    },
  };
}
