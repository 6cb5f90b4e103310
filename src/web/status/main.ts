import '../base.css';
import './status.css';
import { systemClock } from '../../client/timers';
import { byId } from '../dom';
import { Administrator } from './administrator';
import { isForAdministrators } from './answer';
import { ask } from './ask';
import { Shown } from './shown';

/** Often enough to look alive; two requests a second from a wall of screens are nothing to the server. */
const INTERVAL_MS = 2_000;

const shown = new Shown(byId('flow', HTMLElement), systemClock.now());
const administrator = new Administrator(() => void look());
/** Answers to what was asked before are of no interest. */
let looks = 0;
let cancel = (): void => {};

async function look(): Promise<void> {
  cancel();
  const turn = (looks += 1);
  const { token } = administrator;
  const asked = await ask(token);
  if (turn !== looks) return;
  switch (asked.kind) {
    case 'stats':
      shown.answer(asked.stats, systemClock.now());
      // A server that lets everyone in takes any token for a name.
      if (token !== null && !isForAdministrators(asked.stats)) administrator.refuse();
      break;
    case 'refused':
      administrator.refuse();
      break;
    case 'silent':
      shown.silence(systemClock.now());
  }
  cancel = systemClock.after(INTERVAL_MS, () => void look());
}

void look();
