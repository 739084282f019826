// The CLI as a child process, as people run it, and a mesh to run it on.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

/** How a child ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a child gets. */
export interface Surroundings {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs `legation` with these arguments. */
export function legation(args: readonly string[], { input = '', environment = {} }: Surroundings = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'src/cli/main.ts'), ...args], {
      cwd: root,
      env: { PATH: process.env['PATH'], ...environment },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
    // Commands that do not read it may be gone before it is written.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** A Service, its Deployment, and a route. */
export const goodMesh = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  selector: { app: web }
  ports: [{ name: http, port: 80, appProtocol: http }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web, ports: [{ containerPort: 80 }] }] }
---
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: web, namespace: shop }
spec:
  parentRefs: [{ name: web }]
  rules:
    - name: main
      backendRefs: [{ name: web, port: 80 }]
`;

/** Something wrong for the reader, and something for the compiler; the lines matter. */
export const brokenMesh = `apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: nowhere, namespace: shop }
spec:
  parentRefs: [{ name: wev }]
  rules:
    - backendRefs: [{ name: web, port: 80 }]
---
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: typo, namespace: shop }
spec:
  parentRefs: [{ name: web }]
  rulez: []
---
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: typo, namespace: shop }
spec: {}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: old }
`;
