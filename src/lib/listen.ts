import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { faultCode } from './system-faults';
import { type AddressInfo, createServer, type Server } from 'node:net';

export interface Listening {
  readonly port: number;
  /** Addresses that are listened on, IPv6 without brackets. */
  readonly addresses: readonly string[];
  /** Refuses new connections from now on; those there are go on. Twice is once. */
  stop(): void;
}

/** `localhost` means both: which of the two a name or a client takes differs between machines. */
const LOCALHOST = { v4: '127.0.0.1', v6: '::1' };
/** Faults that say that this machine has no such address, not that it is taken. */
const NO_SUCH_ADDRESS = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'];
/** A port that is free on one address may be taken on the other; then another free one is tried. */
const FREE_PORT_ATTEMPTS = 10;

/** Lets `http` serve `host:port`; `localhost` over IPv4 and, where there is one, IPv6. Port 0 takes a free one. */
export async function listen(http: HttpServer, host: string, port: number): Promise<Listening> {
  for (let attempt = 1; ; attempt += 1) {
    await listenOn(http, host === 'localhost' ? LOCALHOST.v4 : host, port);
    const { address, port: boundPort } = boundTo(http);
    if (host !== 'localhost') return { port: boundPort, addresses: [address], stop: () => void http.close() };

    const second = createServer({ noDelay: true }, (socket) => http.emit('connection', socket));
    try {
      await listenOn(second, LOCALHOST.v6, boundPort);
      return { port: boundPort, addresses: [address, LOCALHOST.v6], stop: () => void (http.close(), second.close()) };
    } catch (fault) {
      const code = faultCode(fault);
      if (NO_SUCH_ADDRESS.includes(code))
        return { port: boundPort, addresses: [address], stop: () => void http.close() };
      http.close();
      await once(http, 'close');
      if (!(port === 0 && code === 'EADDRINUSE' && attempt < FREE_PORT_ATTEMPTS)) throw fault;
    }
  }
}

async function listenOn(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port });
  await once(server, 'listening');
}

function boundTo(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server is not bound to a TCP port');
  return address;
}
