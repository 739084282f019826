// Lint rules: the budgets and bans that keep the code small and testable. Formatting is prettier's business alone.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const budgets = {
  complexity: ['error', 10],
  'max-depth': ['error', 3],
  'max-params': ['error', 3],
  'max-statements': ['error', 25],
  'max-lines': ['error', { max: 400 }],
  'max-lines-per-function': ['error', { max: 80 }],
};

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name: a thing is called the same everywhere.',
};

const noClockRead = {
  selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
  message: 'Take the time from an injected Clock (src/lib/clock.ts).',
};

const timers = ['setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
  name,
  message: 'Use an injected Clock (src/lib/clock.ts).',
}));

const noRandom = {
  object: 'Math',
  property: 'random',
  message: 'Results must be reproducible; keys come from node:crypto.',
};
const noNow = { object: 'Date', property: 'now', message: 'Take the time from an injected Clock (src/lib/clock.ts).' };

const timerModules = ['node:timers', 'node:timers/promises', 'timers', 'timers/promises'].map((name) => ({
  name,
  message: 'Use an injected Clock (src/lib/clock.ts).',
}));

const bans = {
  eqeqeq: 'error',
  'no-console': 'error',
  'no-empty': ['error', { allowEmptyCatch: false }],
  'no-restricted-globals': ['error', ...timers],
  'no-restricted-imports': ['error', { paths: timerModules }],
  'no-restricted-properties': ['error', noRandom, noNow],
  'no-restricted-syntax': ['error', noDefaultExport, noClockRead],
};

const typed = {
  '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
  '@typescript-eslint/consistent-type-imports': 'error',
  '@typescript-eslint/no-import-type-side-effects': 'error',
  '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
};

export default tseslint.config(
  { ignores: ['dist', 'src/gen', 'coverage', 'node_modules', '.tools', 'bench/results'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: { ...budgets, ...bans, ...typed },
  },
  {
    // The one place that may read the clock.
    files: ['src/lib/clock.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': ['error', noRandom],
      'no-restricted-syntax': ['error', noDefaultExport],
    },
  },
  {
    // Adapters of generated code, whose codecs cannot say that a copy has the type of the original.
    files: ['src/features/any.ts', 'src/features/encode.ts'],
    rules: { '@typescript-eslint/consistent-type-assertions': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'max-statements': 'off',
      '@typescript-eslint/consistent-type-assertions': 'off',
      '@typescript-eslint/no-unused-expressions': 'off',
    },
  },
  {
    // Programs of their own, run by hand or by make: they print, and they measure time.
    files: ['scripts/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'no-console': 'off',
      'no-restricted-globals': 'off',
      'no-restricted-properties': ['error', noRandom],
      'no-restricted-syntax': ['error', noDefaultExport],
      'no-restricted-imports': 'off',
      '@typescript-eslint/consistent-type-assertions': 'off',
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
);
