// A provider of OpenID Connect for tests: the real oidc-provider, on loopback, with a client that wants a secret and PKCE.
// Whoever asks to sign in types any name and any password. For tests without a browser, and for those of a provider that
// errs, there are addresses below /test.
//
//   node provider.mjs NODE_MODULES PORT REDIRECT_URI...

import crypto from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, port, ...redirectUris] = process.argv.slice(2);
const entry = path.join(modules, 'oidc-provider/lib/index.js');
const { default: Provider } = await import(pathToFileURL(entry));

const CLIENT = 'wasmcloud';
const SECRET = 'the-secret-of-the-client-in-tests';
const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// New keys at each start: who has kept the old ones has to ask again.
const key = () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const own = key();
const kid = crypto.randomUUID();
const stranger = key();

/// What the next token is spoilt in.
let spoil = null;

const signed = (header, claims, by) => {
  const text = `${b64(header)}.${b64(claims)}`;
  return `${text}.${crypto.sign('sha256', Buffer.from(text), by).toString('base64url')}`;
};

const SPOILT = {
  nonce: (header, claims) => signed(header, { ...claims, nonce: 'another' }, own),
  audience: (header, claims) => signed(header, { ...claims, aud: 'another' }, own),
  issuer: (header, claims) => signed(header, { ...claims, iss: 'https://another.example.net' }, own),
  expired: (header, claims) => signed(header, { ...claims, iat: 1, exp: 2 }, own),
  'access-token': (header, claims) => signed(header, { ...claims, at_hash: b64('another') }, own),
  key: (header, claims) => signed(header, claims, stranger),
  none: (header, claims) => `${b64({ ...header, alg: 'none' })}.${b64(claims)}.`,
  secret: (header, claims) => {
    const text = `${b64({ alg: 'HS256', typ: 'JWT' })}.${b64(claims)}`;
    return `${text}.${crypto.createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  },
};

/// Signs in as a browser does; the address that the browser is sent back to.
async function signIn(url, login) {
  const jar = new Map();
  const ask = async (address, form) => {
    const response = await fetch(address, {
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair] = cookie.split(';');
      const at = pair.indexOf('=');
      jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = response.headers.get('location');
    return { status: response.status, location: location && new URL(location, address).href, text: await response.text() };
  };
  let answer = await ask(url);
  for (let steps = 0; steps < 12; steps += 1) {
    if (answer.location === null) throw new Error(`${answer.status}: ${answer.text.slice(0, 500)}`);
    const at = answer.location;
    if (redirectUris.some((uri) => at.startsWith(uri))) return at;
    answer = await ask(at);
    if (answer.location === null && answer.status === 200) {
      const consent = /name="prompt" value="consent"/.test(answer.text);
      answer = await ask(at, consent ? { prompt: 'consent' } : { prompt: 'login', login, password: 'any' });
    }
  }
  throw new Error('no way back');
}

// Nobody reads more than the first line.
for (const say of ['log', 'info', 'warn', 'error']) console[say] = () => {};
process.stdout.on('error', () => {});

const server = http.createServer();
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT,
      client_secret: SECRET,
      redirect_uris: redirectUris,
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    jwks: { keys: [{ ...own.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
    pkce: { required: () => true, methods: ['S256'] },
    claims: { openid: ['sub'], email: ['email'], profile: ['preferred_username', 'name'] },
    cookies: { keys: [crypto.randomUUID()] },
    features: { devInteractions: { enabled: true } },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, name: id, email: `${id}@example.net` }),
    }),
  });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path !== '/token' || spoil === null || !ctx.body?.id_token) return;
    if (spoil === 'size') {
      ctx.body.padding = 'x'.repeat(2 << 20);
    } else {
      const [header, claims] = ctx.body.id_token.split('.').slice(0, 2)
        .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
      ctx.body.id_token = SPOILT[spoil](header, claims);
    }
    spoil = null;
  });
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    const url = new URL(request.url, issuer);
    try {
      if (url.pathname === '/test/sign-in') {
        response.end(await signIn(url.searchParams.get('url'), url.searchParams.get('login')));
      } else if (url.pathname === '/test/spoil') {
        spoil = url.searchParams.get('how');
        response.end();
      } else {
        await answer(request, response);
      }
    } catch (error) {
      response.statusCode = 500;
      response.end(String(error.stack));
    }
  });
  process.stdout.write(`${JSON.stringify({ issuer, client_id: CLIENT, client_secret: SECRET })}\n`);
});

// It ends with whoever started it.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
