import { fromBase64 } from '../client/base64';
import { ask } from './ask';
import { settings } from './settings';

/** Who sits here: shown to the server as the token, and to the others as a name. */
export interface Identity {
  readonly token: string;
  readonly name: string;
  /** Under which the server knows them; null: this page cannot tell. */
  readonly userId: string | null;
}

const NAME_KEY = 'flow-name';
const TOKEN_KEY = 'flow-token';
/** As the server takes it: see docs/access.md. */
const NAME = /^[\p{L}\p{N}._~@ -]{1,64}$/u;
const FIRST = [
  'Amber',
  'Bright',
  'Calm',
  'Clever',
  'Gentle',
  'Golden',
  'Merry',
  'Quick',
  'Quiet',
  'Silver',
  'Sunny',
  'Swift',
];
const SECOND = ['Badger', 'Falcon', 'Finch', 'Fox', 'Hare', 'Heron', 'Lynx', 'Marten', 'Otter', 'Owl', 'Robin', 'Wren'];

/** Who was here last in this browser; a newcomer gets a name, or is asked for a token. Null: they would not say. */
export async function currentIdentity(): Promise<Identity | null> {
  if (settings.auth === 'open') return named(localStorage.getItem(NAME_KEY) ?? newName());
  takeTokenFromAddress();
  const token = sessionStorage.getItem(TOKEN_KEY);
  return token === null ? askForToken() : withToken(token);
}

/** Another name of one's own (open); null: it stays. */
export async function askForName(current: string): Promise<Identity | null> {
  const name = await ask({
    title: 'Your name',
    label: 'Name',
    hint: 'Others see it beside your cursor. It is kept in this browser.',
    value: current,
    accept: 'Use this name',
    check: (answer) => (NAME.test(answer) ? null : '1 to 64 letters, digits, spaces or . _ ~ @ -'),
  });
  return name === null ? null : named(name);
}

/** A token that the server accepts is asked for when there is none, or when it has ended. */
export async function askForToken(reason?: string): Promise<Identity | null> {
  const token = await ask({
    title: 'Sign in',
    label: 'Token',
    hint: reason ?? 'This server asks for a token. Whoever runs it can give you one.',
    accept: 'Sign in',
    check: (answer) => (answer === '' ? 'Paste the token here.' : null),
  });
  return token === null ? null : withToken(token);
}

function named(name: string): Identity {
  localStorage.setItem(NAME_KEY, name);
  return { token: name, name, userId: name };
}

function withToken(token: string): Identity {
  sessionStorage.setItem(TOKEN_KEY, token);
  const claims = claimsIn(token);
  const said = [claims['name'], claims['preferred_username'], claims['sub']].filter(
    (value) => typeof value === 'string',
  );
  const { sub } = claims;
  return {
    token,
    name: said.find((value) => value !== '') ?? 'Somebody',
    userId: typeof sub === 'string' ? sub : null,
  };
}

/** `#token=…` never reaches a server, and must not stay in the address that people pass on. */
function takeTokenFromAddress(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return;
  sessionStorage.setItem(TOKEN_KEY, token);
  history.replaceState(history.state, '', location.pathname + location.search);
}

/** What a token says of its owner. It is only shown; the server is who checks it. */
function claimsIn(token: string): Readonly<Record<string, unknown>> {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const claims: unknown = JSON.parse(new TextDecoder().decode(fromBase64(payload)));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

function newName(): string {
  const [first = 0, second = 0, number = 0] = crypto.getRandomValues(new Uint16Array(3));
  return `${FIRST[first % FIRST.length]} ${SECOND[second % SECOND.length]} ${(number % 900) + 100}`;
}
