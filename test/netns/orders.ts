// What a test and the process in a pod's namespace tell each other. Types alone.

/** How an application answers. `banner`: the server speaks first, then echoes. `tls`: it ends TLS itself. */
export type Manner = 'http' | 'banner' | 'tls';

/** A socket of an application, on the addresses of its pod. */
export interface Listening {
  readonly port: number;
  readonly manner: Manner;
}

/** What a process in a namespace is for. */
export interface PodOrder {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly serves: readonly Listening[];
  /** Ends of names to which a DNS server answers with the addresses of the pod; none: there is no such server. */
  readonly names: readonly string[];
  /** The user to become once all files are read. */
  readonly uid: number;
  /** A port on the pod's loopback that leads to a unix socket. */
  readonly forward: { readonly port: number; readonly socket: string } | undefined;
}

/** A call that the application in a pod makes, over a new connection. */
export interface Call {
  readonly manner: Manner;
  readonly address: string;
  readonly port: number;
  /** Authority, or name in the handshake. */
  readonly name?: string;
  readonly path?: string;
  /** `x-id` of a request, by which it is counted where it arrives. */
  readonly id?: string;
  /** How long to wait for an answer; 5,000 ms unless told. */
  readonly patienceMs?: number;
}

/** What a process in a namespace is asked for: a call, or how often requests with each id arrived at it. */
export type Asked = Call | 'arrivals';

/** What came of a call. */
export interface Answer {
  /** Status of HTTP; 200 for a whole answer of another manner, 0 for none, and then `text` says why. */
  readonly status: number;
  readonly text: string;
  readonly ms: number;
  /** What the application says of the call, if one answered. */
  readonly echo: Echo | undefined;
}

/** A call as an application sees it. */
export interface Echo {
  readonly pod: string;
  /** Address of the caller as the kernel gives it. */
  readonly from: string;
  /** Own address. */
  readonly to: string;
  /** Authority, or name in the handshake. */
  readonly name: string;
  readonly headers: Readonly<Record<string, unknown>>;
}
