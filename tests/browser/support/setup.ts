import { Processes } from '../../support/server-process';
import { Browsing } from './browser';

/** A browser and a server for the tests of this file, and processes of a test's own. After every test all windows are closed, and none may have complained. */
export function browserTests(): { browsing: Browsing; processes: Processes; url: () => string } {
  const browsing = new Browsing();
  const shared = new Processes();
  const processes = new Processes();
  let url = '';
  beforeAll(async () => {
    await browsing.start();
    ({ url } = await shared.startServer({ documents: await shared.directory() }));
  });
  afterEach(async () => {
    await browsing.closePeople();
    await processes.clean();
    expect(browsing.takeComplaints()).toEqual([]);
  });
  afterAll(async () => {
    await browsing.stop();
    await shared.clean();
  });
  return { browsing, processes, url: () => url };
}
