// An Express application that has been there before, with its own users and its own rules, and documents in it.

const { createServer } = require('node:http');
const express = require('express');
const { createFlow } = require('flow-backend');

const app = express();
const httpServer = createServer(app);

// Of the application itself: who is signed in, and who may do what.
const users = new Map([
  ['key-of-ann', { id: 'ann', isStaff: true }],
  ['key-of-ben', { id: 'ben', isStaff: false }],
]);
app.get('/', (_request, response) => void response.send('The application'));

const flow = createFlow({
  httpServer,
  config: { documentStore: 'memory' },
  hooks: {
    authenticate({ token }) {
      const user = users.get(token ?? '');
      return user ? { userId: user.id } : null;
    },
    authorize({ userId }, session) {
      if (session.createdBy === userId) return 'owner';
      const user = [...users.values()].find(({ id }) => id === userId);
      return user?.isStaff ? 'editor' : 'viewer';
    },
    onSaved: ({ sessionId, seq }) => console.log(`${sessionId} is saved up to ${seq}`),
  },
});
app.use('/collab', flow.router);

async function main() {
  await flow.start();
  httpServer.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
    console.log(`listening on port ${httpServer.address().port}`);
  });
}

async function stop() {
  await flow.stop(); // Tells the clients and saves everything; the HTTP server stays the application's own.
  httpServer.close();
}

process.once('SIGTERM', () => void stop());
void main();
