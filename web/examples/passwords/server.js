import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import express from 'express';

const port = Number(process.env.PORT ?? 3000);
const { HOLDFAST_ORIGIN = 'http://localhost:8080', HOLDFAST_TOKEN } = process.env;

const app = express();
app.use(express.static('dist'), express.json());

// What the site has today: members with passwords, and sessions by a cookie.
const salt = randomBytes(16);
const members = [{ id: 'member-17', name: 'Ada', hash: scryptSync('correct horse', salt, 32) }];
const sessions = new Map();

app.post('/login', (request, response) => {
  const { name, password } = request.body;
  const member = members.find((member) => member.name === name);
  if (!member || !timingSafeEqual(member.hash, scryptSync(String(password), salt, 32)))
    return response.status(401).json({ code: 'wrong_password' });
  const session = randomBytes(32).toString('base64url');
  sessions.set(session, member);
  response.cookie('session', session, { httpOnly: true, sameSite: 'strict' }).json({});
});

/** Calls the admin API with a token of the scopes support:read and support:write. */
async function admin(method, path, body) {
  const response = await fetch(`${HOLDFAST_ORIGIN}/admin/v1/${path}`, {
    method,
    headers: { Authorization: `Bearer ${HOLDFAST_TOKEN}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(`${method} ${path}: ${answer.code}`), { code: answer.code });
  return answer;
}

/** The code for a member's first passkey; null: the member has one. The account is made with the first call. */
async function codeFor({ id, name }) {
  try {
    const { enrolment } = await admin('POST', 'users', { name, external_id: id });
    return enrolment.code;
  } catch (error) {
    if (error.code !== 'conflict') throw error;
  }
  const { users } = await admin('GET', `users?q=${encodeURIComponent(id)}`);
  const user = users.find(({ external_id }) => external_id === id);
  const { passkeys } = await admin('GET', `users/${user.id}`);
  if (passkeys.length > 0) return null;
  const { recovery } = await admin('POST', `users/${user.id}/recovery`, { reason: 'first passkey after a log in' });
  return recovery.code;
}

// New: whoever has logged in adds a passkey, once. After that the password opens nothing here.
app.post('/passkey', async (request, response) => {
  const member = sessions.get(/(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]);
  if (!member) return response.status(401).json({ code: 'logged_out' });
  const code = await codeFor(member);
  if (code === null) return response.status(409).json({ code: 'has_passkey' });
  response.set('Cache-Control', 'no-store').json({ code });
});

app.listen(port, 'localhost', () => console.log(`http://localhost:${port}`));
