import type { Awareness } from 'y-protocols/awareness';
import { element } from '../dom';

/** How somebody appears to the others. */
export interface Person {
  readonly name: string;
  readonly color: string;
}

/** White text is readable on each, and each is visible on light and dark paper. */
const COLOURS = ['#b3452c', '#8a5a00', '#4f7a1f', '#1f7a63', '#2a6fb5', '#5b5bd0', '#8f4bb8', '#b83a76'];
/** Faces that fit beside a title. */
const MOST_FACES = 5;

/** The same person has the same colour in every window. */
export function colourOf(name: string): string {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return COLOURS[hash % COLOURS.length] ?? '';
}

/** What another editor says of its user, as far as it can be believed. */
export function personIn(state: unknown): Person | null {
  const user: unknown = typeof state === 'object' && state !== null ? Reflect.get(state, 'user') : null;
  if (typeof user !== 'object' || user === null) return null;
  const name: unknown = Reflect.get(user, 'name');
  const color: unknown = Reflect.get(user, 'color');
  const shown = typeof name === 'string' && name !== '' ? name.slice(0, 64) : 'Somebody';
  const isColour = typeof color === 'string' && CSS.supports('color', color);
  return { name: shown, color: isColour ? color : colourOf(shown) };
}

/** Shows who is here, oneself first; somebody with two windows is one person. */
export function showPeople(list: HTMLElement, awareness: Awareness, onOwn: () => void): void {
  const people = new Map<string, Person>();
  for (const [id, state] of awareness.getStates()) {
    const person = id === awareness.clientID ? null : personIn(state);
    if (person) people.set(person.name, person);
  }
  const own = personIn(awareness.getLocalState());
  if (own) people.delete(own.name);
  const others = [...people.values()];
  const hidden = others.slice(MOST_FACES);
  list.replaceChildren(
    ...(own ? [element('li', {}, [ownFace(own, onOwn)])] : []),
    ...others.slice(0, MOST_FACES).map((person) => element('li', {}, [face(person)])),
    ...(hidden.length > 0 ? [element('li', {}, [more(hidden)])] : []),
  );
}

function ownFace(own: Person, onClick: () => void): HTMLElement {
  const label = `${own.name} (you). Change this`;
  const button = element(
    'button',
    { type: 'button', class: 'face', 'aria-label': label, title: label },
    [initialsOf(own.name)],
    { click: onClick },
  );
  button.style.setProperty('--who', own.color);
  return button;
}

function face({ name, color }: Person): HTMLElement {
  const shown = element('span', { class: 'face', role: 'img', 'aria-label': name, title: name }, [initialsOf(name)]);
  shown.style.setProperty('--who', color);
  return shown;
}

function more(hidden: readonly Person[]): HTMLElement {
  const names = hidden.map(({ name }) => name).join(', ');
  const shown = element('span', { class: 'face', role: 'img', 'aria-label': names, title: names }, [
    `+${hidden.length}`,
  ]);
  shown.style.setProperty('--who', '#5d626c');
  return shown;
}

const initialsOf = (name: string): string =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => Array.from(word)[0]?.toUpperCase() ?? '')
    .join('');
