import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { portToComeBackTo, SERVER, type Processes, type ServerProcess, type Variables } from './server-process';

const run = promisify(execFile);

/** A store with little room, until it is given more. */
export interface SmallStore {
  readonly server: ServerProcess;
  readonly documents: string;
  giveRoom(): Promise<void>;
  /** When the server has ended: a new one on the same address and documents, with room. */
  restart(): Promise<ServerProcess>;
}

export interface Medium {
  readonly name: string;
  /** What is said when there is no room: the system takes nothing more, or a part of what it was given. */
  readonly reason: RegExp;
  start(processes: Processes, env: Variables): Promise<SmallStore>;
}

/** Some hundred edits of a page each. */
const ROOM_KIB = 512;

/** The largest file the process may write; it can be raised while the process runs. */
const fileSizeLimit: Medium = {
  name: 'a file-size limit',
  reason: /File too large|a file-size limit is full/,
  async start(processes, env) {
    const documents = await processes.directory();
    const options = { documents, env, port: await portToComeBackTo() };
    const limited = ['bash', '-c', `ulimit -S -f ${ROOM_KIB} && exec "$0" "$@"`, process.execPath, SERVER];
    const server = await processes.startServer({ ...options, command: limited });
    return {
      server,
      documents,
      giveRoom: async () => void (await run('prlimit', [`--pid=${server.pid}`, '--fsize=unlimited:'])),
      restart: () => processes.startServer(options),
    };
  },
};

/** A disk of its own, in memory. */
const smallDisk: Medium = {
  name: 'a small disk',
  reason: /No space left on device|the disk .* is full/,
  async start(processes, env) {
    const disk = await processes.directory();
    await run('mount', ['-t', 'tmpfs', '-o', `size=${ROOM_KIB}k`, 'tmpfs', disk]);
    processes.onClean(async () => void (await run('umount', [disk])));
    const options = { documents: join(disk, 'documents'), env, port: await portToComeBackTo() };
    const giveRoom = async (): Promise<void> => void (await run('mount', ['-o', 'remount,size=64m', disk]));
    return {
      server: await processes.startServer(options),
      documents: options.documents,
      giveRoom,
      restart: async () => {
        await giveRoom();
        return processes.startServer(options);
      },
    };
  },
};

/** Those this machine has: a disk can only be mounted by who may. */
export const media: readonly Medium[] = process.getuid?.() === 0 ? [fileSizeLimit, smallDisk] : [fileSizeLimit];
