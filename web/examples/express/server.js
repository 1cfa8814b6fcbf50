import { readFileSync } from 'node:fs';
import { grantOf, holdfast } from '@holdfast/node/express';
import express from 'express';

const port = Number(process.env.PORT ?? 3000);
const guard = holdfast({
  issuer: process.env.HOLDFAST_ORIGIN ?? 'http://localhost:8080',
  origin: `http://localhost:${port}`, // the public origin of this back end
  roots: JSON.parse(readFileSync('holdfast-roots.json', 'utf8')),
});
await guard.ready(); // a wrong root or address ends the program here, and says why

const app = express();
app.use(express.static('dist'));
app.post('/export', guard.requireFeature('export'), (request, response) => {
  response.json({ exported: `of user ${grantOf(request).user}` });
});
app.listen(port, 'localhost', () => console.log(`http://localhost:${port}`));
