import { environment } from '../config/environment';
import { CONFIG_FAULT_EXIT_CODE, ConfigError, loadConfig, type Config } from '../config/load-config';
import { createApp } from './app';
import { systemClock } from './lib/clock';
import { createLogger, type Logger } from './lib/logger';
import { RecentWarnings } from './lib/recent-warnings';
import { withReachableRedis } from './redis/reach-redis';
import { explain } from './lib/system-faults';

/** The deadline is kept by every step; this is for a step that blocks the event loop or forgets it. */
const DEADLINE_GRACE_MS = 1_000;
/**
 * Signals that come within this time of the first are the same one. A terminal sends Ctrl+C to everyone in the foreground, systemd a stop to
 * everyone in the service, and npm, being one of them, passes on what it got: nobody has lost patience, two have told us. Who has
 * presses again later than this.
 */
const SAME_SIGNAL_MS = 1_000;
/** Enough of a wrong command line to recognise it. */
const SHOWN_ARGUMENTS = 8;

function run(config: Config, log: Logger, warnings: RecentWarnings): void {
  const app = createApp(config, { log, warnings });
  let isStopping = false;
  let signalledAt: number | undefined;

  /** Ends the process by letting go of everything; it exits by itself with the code set here. */
  function stop(exitCode: number): void {
    isStopping = true;
    const overdue = setTimeout(() => {
      log.fatal('stopping took too long; exiting');
      endAtOnce('SIGKILL');
    }, config.stopDeadlineMs + DEADLINE_GRACE_MS);
    app.stop().then(
      ({ unsavedSessions }) => {
        process.exitCode = unsavedSessions.length > 0 ? 1 : exitCode;
        clearTimeout(overdue);
        if (process.connected) process.disconnect();
      },
      (fault: unknown) => {
        log.fatal({ err: fault }, 'stopping failed');
        endAtOnce('SIGKILL');
      },
    );
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const now = systemClock.monotonic();
      signalledAt ??= now;
      if (now - signalledAt >= SAME_SIGNAL_MS) endAtOnce(signal);
      if (isStopping) return;
      log.info({ signal }, 'stopping');
      stop(0);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (fault: unknown) => {
      log.fatal({ err: fault, event }, 'a fault nobody handled; stopping');
      if (!isStopping) stop(1);
    });
  }

  app.start().then(
    // pm2 waits for this before it calls the process ready.
    () => process.send?.('ready'),
    (fault: unknown) => {
      // Then somebody did not want it to.
      if (isStopping) return;
      sayWhy(fault, log);
      stop(1);
    },
  );
}

/** One line that says what to do; where in the program it happened helps only those who look for a fault of ours. */
function sayWhy(fault: unknown, log: Logger): void {
  log.debug({ err: fault }, 'starting failed');
  process.stderr.write(`Flow Backend cannot start. ${explain(fault)}\n`);
}

async function start(config: Config): Promise<void> {
  const warnings = new RecentWarnings({ clock: systemClock });
  const log = createLogger({ level: config.logLevel, instanceId: config.instanceId, warnings });
  try {
    run(await withReachableRedis(config, { clock: systemClock, log }), log, warnings);
  } catch (fault) {
    sayWhy(fault, log);
    process.exitCode = 1;
  }
}

/**
 * Dies of a signal, as a process that handles none would. `process.exit` waits for the thread that writes to the store, and that
 * one may be waiting for this one. It is for where signals do nothing: the first process of a container.
 */
function endAtOnce(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(1);
}

/** A setting that is given in a way we do not read would be believed to hold. */
function refuseArguments(args: readonly string[]): void {
  if (args.length === 0) return;
  throw new ConfigError([
    `${args.slice(0, SHOWN_ARGUMENTS).join(' ')}: there are no arguments; settings are environment variables, such as PORT=4000`,
  ]);
}

try {
  refuseArguments(process.argv.slice(2));
  void start(loadConfig(environment()));
} catch (fault) {
  if (!(fault instanceof ConfigError)) throw fault;
  process.stderr.write(`${fault.message}\n`);
  process.exitCode = CONFIG_FAULT_EXIT_CODE;
}
