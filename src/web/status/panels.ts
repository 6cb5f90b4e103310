import { SERVICES, serviceNames } from '../../protocol/services';
import { byId, element } from '../dom';
import { isForAdministrators, type Health, type LiveInstance, type Stats, type Warning } from './answer';
import { ago, count, duration, milliseconds } from './words';

/** How something is doing; the style sheet knows them, and each has a word of its own, so that colour alone says nothing. */
type Mood = 'good' | 'warn' | 'bad' | 'plain';

const OVERALL: Readonly<Record<Health['status'], string>> = {
  ok: 'All is well',
  degraded: 'Degraded',
  unavailable: 'Unavailable',
};

/** Everything but the charts, as the server told it last. */
export function showStats(stats: Stats): void {
  const { health, instanceId } = stats;
  say(OVERALL[health.status], health.status);
  byId('where', HTMLParagraphElement).textContent =
    `${instanceId} · version ${health.version} · up ${duration(health.uptimeSeconds)}`;
  showReasons(health);
  byId('figures', HTMLDListElement).replaceChildren(...figuresOf(stats));
  byId('services', HTMLTableSectionElement).replaceChildren(...serviceRows(health), storeRow(health), redisRow(health));
  byId('instances', HTMLTableSectionElement).replaceChildren(
    ...(stats.instances ?? []).map((instance) => instanceRow(instance, stats.at)),
  );
  const warnings = stats.warnings ?? [];
  byId('warnings', HTMLOListElement).replaceChildren(...warnings.map((warning) => warningLine(warning, stats.at)));
  byId('no-warnings', HTMLParagraphElement).hidden = warnings.length > 0;
  document.body.dataset['sees'] = isForAdministrators(stats) ? 'everything' : 'little';
}

/** What is on the screen is old from here on. */
export function showSilence(seconds: number): void {
  say(`No answer for ${duration(Math.max(1, seconds))}`, 'silent');
}

function say(text: string, state: string): void {
  const overall = byId('overall', HTMLParagraphElement);
  // It is read aloud when it changes, and only then.
  if (overall.textContent !== text) overall.textContent = text;
  overall.dataset['state'] = state;
  document.body.dataset['state'] = state;
}

function showReasons({ reasons, store, services }: Health): void {
  const lines = reasons.map(({ message }) => message);
  if (store.status === 'failing') lines.push('The document store refuses to save; it is tried again.');
  if (store.status === 'older') lines.push('The document store holds less than was saved: sessions are refused.');
  if (store.failure !== undefined) lines.push(`The document store says: ${store.failure}`);
  for (const name of serviceNames) {
    const { backend, configured, status } = services[name];
    if (status === 'degraded')
      lines.push(`${SERVICES[name].logName} is configured for ${configured} and runs on ${backend}.`);
  }
  const list = byId('reasons', HTMLUListElement);
  list.hidden = lines.length === 0;
  list.replaceChildren(...lines.map((line) => element('li', {}, [line])));
}

function figuresOf({ connections, users, sessions, operations, health, eventLoop }: Stats): HTMLElement[] {
  const { unsavedSessions, oldestUnsavedMs, status } = health.store;
  const isElsewhere = connections.cluster > connections.local;
  const repairs = operations.gapsRepaired + operations.forks + connections.slowConsumersCut;
  return [
    figure('Connections', count(connections.cluster), isElsewhere ? `${count(connections.local)} here` : 'all here'),
    figure('People', count(users), `${count(sessions.participants)} in sessions`),
    figure('Open sessions', count(sessions.open), 'documents in use'),
    figure(
      'Unsaved sessions',
      count(unsavedSessions),
      unsavedSessions === 0 ? 'everything is saved' : `oldest waits ${milliseconds(oldestUnsavedMs)}`,
      status === 'ok' ? 'plain' : status === 'stalled' ? 'bad' : 'warn',
    ),
    figure('Repairs', count(repairs), `${count(operations.refused)} requests refused`),
    ...(eventLoop ? [figure('Event loop', milliseconds(eventLoop.lagMsP99), 'late, 99th percentile')] : []),
  ];
}

function figure(name: string, value: string, remark: string, mood: Mood = 'plain'): HTMLElement {
  return element('div', { class: 'card figure', 'data-mood': mood, 'data-figure': name }, [
    element('dt', {}, [name]),
    element('dd', { class: 'large' }, [value]),
    element('dd', { class: 'muted' }, [remark]),
  ]);
}

const serviceRows = ({ services }: Health): HTMLElement[] =>
  serviceNames.map((name) => {
    const { backend, configured, status } = services[name];
    return row([SERVICES[name].logName, backend, configured, badge(status, status === 'ok' ? 'good' : 'warn')]);
  });

function storeRow({ store: { kind, durability, status } }: Health): HTMLElement {
  const survives = durability === 'none' ? 'not kept' : durability;
  return row(['Document Store', kind, survives, badge(status, STORE_MOODS[status])]);
}

const STORE_MOODS: Readonly<Record<Health['store']['status'], Mood>> = {
  ok: 'good',
  failing: 'warn',
  stalled: 'bad',
  older: 'warn',
};

function redisRow({ redis: { mode, status, latencyMs } }: Health): HTMLElement {
  const moods = { ok: 'good', unavailable: 'bad', unused: 'plain' } as const;
  const speed = latencyMs === undefined ? '' : milliseconds(latencyMs);
  return row(['Redis', mode === 'none' ? '–' : mode, speed, badge(status, moods[status])]);
}

function instanceRow(instance: LiveInstance, now: number): HTMLElement {
  const { instanceId, host, version, startedAt, isServing, isThis, connections, users } = instance;
  const name = element('span', { title: `on ${host}` }, [instanceId]);
  if (isThis) name.append(' ', badge('this one', 'plain'));
  if (!isServing) name.append(' ', badge('waits', 'warn'));
  return row([name, version, duration((now - startedAt) / 1_000), count(connections), count(users)]);
}

function warningLine(warning: Warning, now: number): HTMLElement {
  const { level, component, message, fault, count: times, lastAt } = warning;
  const remarks = [component, fault, times > 1 ? `${count(times)} times` : undefined];
  return element('li', {}, [
    badge(level, level === 'warn' ? 'warn' : 'bad'),
    element('span', {}, [message]),
    element('span', { class: 'muted' }, [remarks.filter((remark) => remark !== undefined).join(' · ')]),
    element('time', { class: 'muted', datetime: new Date(lastAt).toISOString() }, [ago((now - lastAt) / 1_000)]),
  ]);
}

const badge = (text: string, mood: Mood): HTMLElement => element('span', { class: 'badge', 'data-mood': mood }, [text]);

/** The first cell names the row. */
const row = ([name = '', ...cells]: ReadonlyArray<string | Node>): HTMLElement =>
  element('tr', {}, [element('th', { scope: 'row' }, [name]), ...cells.map((cell) => element('td', {}, [cell]))]);
