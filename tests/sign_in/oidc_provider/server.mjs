// An identity provider for tests: oidc-provider on a free port of 127.0.0.1, with accounts that
// need no password. Prints "port N" when it is ready; ends when its standard input does, or with
// SIGTERM.
//
//   node server.mjs [resource]
//
// Clients (public, native, PKCE, redirect to http://127.0.0.1:*/callback): psephos-wallet (RS256),
// psephos-wallet-es256, psephos-wallet-eddsa, by the algorithm of their tokens. Accounts: whatever
// matches kAccounts. A browser is signed in as the account in the parameter login_hint of the
// authorization request; without one, it gets a page with a form. Access tokens for the resource
// (default https://registrar.example) are JWTs. Tokens carry sub, preferred_username, email,
// email_verified.
//
//   POST /admin/rotate    new keys; the old ones are no longer published. Answers the new kids.
//   POST /admin/withdraw  answers 503 to everything but /admin from now on
//   POST /admin/restore   no longer
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

const kAccounts = /^(?:alice|bob|carol|voter[0-9]{1,6})$/;
const kResource = process.argv[2] ?? 'https://registrar.example';
const kAlgorithms = {
  'psephos-wallet': 'RS256',
  'psephos-wallet-es256': 'ES256',
  'psephos-wallet-eddsa': 'EdDSA',
};

function newKeys() {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  };
  return Object.entries(pairs).map(([alg, { privateKey }]) => ({
    ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID(),
  }));
}

function claimsOf(sub) {
  return {
    sub,
    preferred_username: sub,
    email: `${sub}@example.org`,
    email_verified: sub !== 'carol',
  };
}

function newProvider(issuer, keys) {
  const provider = new Provider(issuer, {
    clients: Object.entries(kAlgorithms).map(([client_id, alg]) => ({
      client_id,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: alg,
    })),
    jwks: { keys },
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'preferred_username', 'email', 'email_verified'] },
    enabledJWA: { idTokenSigningAlgValues: Object.values(kAlgorithms) },
    findAccount: (ctx, sub) => (kAccounts.test(sub)
      ? { accountId: sub, claims: () => claimsOf(sub) } : undefined),
    extraTokenClaims: (ctx, token) => claimsOf(token.accountId),
    interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid');
      grant.addResourceScope(kResource, 'enrol');
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(ctx, resource, client) {
          if (resource !== kResource) {
            throw new Error(`unknown resource ${resource}`);
          }
          return {
            scope: 'enrol',
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 600,
            jwt: { sign: { alg: kAlgorithms[client.clientId] } },
          };
        },
        useGrantedResource: () => true,
      },
    },
  });
  return provider;
}

async function interact(provider, request, response, url) {
  const { params, prompt } = await provider.interactionDetails(request, response);
  if (prompt.name === 'consent') {  // asked of every native client
    await provider.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
    return;
  }
  const login = url.searchParams.get('login') ?? params.login_hint;
  if (login === undefined) {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>Sign in</title><form>'
      + '<label>Account <input name="login"></label> <button>Sign in</button></form>');
    return;
  }
  const result = kAccounts.test(login)
    ? { login: { accountId: login } }
    : { error: 'access_denied', error_description: 'no such account' };
  await provider.interactionFinished(request, response, result);
}

// Standard output is for the port alone.
console.info = console.error;

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = `http://127.0.0.1:${port}`;
  let keys = newKeys();
  let provider = newProvider(issuer, keys);
  let isUp = true;
  server.on('request', async (request, response) => {
    const url = new URL(request.url, issuer);
    try {
      if (request.method === 'POST' && url.pathname === '/admin/rotate') {
        keys = newKeys();
        provider = newProvider(issuer, keys);
        response.end(JSON.stringify(keys.map(({ kid }) => kid)));
      } else if (request.method === 'POST' && url.pathname === '/admin/withdraw') {
        isUp = false;
        response.end();
      } else if (request.method === 'POST' && url.pathname === '/admin/restore') {
        isUp = true;
        response.end();
      } else if (!isUp) {
        response.statusCode = 503;
        response.end();
      } else if (url.pathname.startsWith('/interaction/')) {
        await interact(provider, request, response, url);
      } else {
        provider.callback()(request, response);
      }
    } catch (error) {
      response.statusCode = 400;
      response.end(String(error));
    }
  });
  console.log(`port ${port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
