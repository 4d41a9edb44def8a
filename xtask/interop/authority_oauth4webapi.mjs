// Every grant and client method of the authority by oauth4webapi, which does less by itself and checks more.

import * as oauth from 'oauth4webapi';
import { assertion, granted, key, main, site, thumbprint } from './authority_common.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };
const { resource } = site;
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

const issuer = new URL(site.issuer);
const discover = async (algorithm) =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm }));
const server = await discover('oidc');

const basic = { client: { client_id: 'basic' }, auth: oauth.ClientSecretBasic(site.basic.secret) };
const read = { scope: 'read', resource };

async function credentials({ client, auth }, parameters = read, options = {}) {
  const asked = { ...insecure, ...options };
  const response = await oauth.clientCredentialsGrantRequest(server, client, auth, parameters, asked);
  return oauth.processClientCredentialsResponse(server, client, response);
}

async function generic({ client, auth }, grant, parameters) {
  const asked = { ...read, ...parameters };
  const response = await oauth.genericTokenEndpointRequest(server, client, auth, grant, asked, insecure);
  return oauth.processGenericTokenEndpointResponse(server, client, response);
}

async function refreshed({ client, auth }, token) {
  const response = await oauth.refreshTokenGrantRequest(server, client, auth, token, insecure);
  return oauth.processRefreshTokenResponse(server, client, response);
}

const robot = async (as) => generic(as, JWT_BEARER, { assertion: await assertion(site.robot) });
const words = (tokens, bound) => granted(tokens, server.jwks_uri, bound);

async function state({ client, auth }, token) {
  const response = await oauth.introspectionRequest(server, client, auth, token, insecure);
  const said = await oauth.processIntrospectionResponse(server, client, response);
  if (client.introspection_signed_response_alg !== undefined) {
    await oauth.validateApplicationLevelSignature(server, response, insecure);
  }
  return said.active ? ['active', said.client_id, said.scope].join(', ') : 'inactive';
}

async function revoke({ client, auth }, token) {
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, insecure));
  return token;
}

// A resource server by the same library (RFC 9068).
async function taken(token) {
  const headers = { authorization: `Bearer ${token}` };
  const claims = await oauth.validateJwtAccessToken(server, new Request(resource, { headers }), resource, insecure);
  return claims.client_id;
}

// The status and the error, where it is refused.
async function outcome(promise) {
  try {
    await promise;
    return 'granted';
  } catch (error) {
    if (error.status === undefined) {
      throw error;
    }
    const { error: code } = error.error ? error : await error.response.json();
    return `${error.status} ${code}`;
  }
}

await main({
  async discovery() {
    return [
      ['endpoints', async () => {
        const other = await discover('oauth2');
        const ends = ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint', 'jwks_uri'];
        return ends.map((end) => server[end] === other[end] && server[end].replace(`${site.issuer}/`, '')).join(', ');
      }],
    ];
  },
  async 'client-credentials'() {
    const post = { client: { client_id: 'post' }, auth: oauth.ClientSecretPost(site.post.secret) };
    return [
      ['client_secret_basic', async () => words(await credentials(basic))],
      ['client_secret_post', async () => words(await credentials(post))],
      ['opaque', async () => words(await credentials(basic, { scope: 'read', resource: site.opaque }))],
    ];
  },
  async 'private-key-jwt'() {
    const auth = oauth.PrivateKeyJwt(await key(site.assertion.key));
    return [['private_key_jwt', async () => words(await credentials({ client: { client_id: 'assertion' }, auth }))]];
  },
  async 'jwt-bearer'() {
    // A service account needs no client (RFC 7523 section 3.1).
    return [['service account', async () => words(await robot({ client: { client_id: 'nobody' }, auth() {} }))]];
  },
  async 'token-exchange'() {
    const exchange = async (token) => {
      const parameters = { subject_token: token, subject_token_type: ACCESS_TOKEN };
      return words(await generic(basic, EXCHANGE, parameters));
    };
    return [
      ['of oidc-provider', async () => exchange(site.subject_token)],
      ['of ours', async () => exchange((await credentials(basic)).access_token)],
    ];
  },
  async refresh() {
    const { refresh_token: first } = await robot(basic);
    const next = await refreshed(basic, first);
    return [
      ['next', async () => words(next)],
      ['used again', async () => outcome(refreshed(basic, first))],
      ['its successor', async () => outcome(refreshed(basic, next.refresh_token))],
    ];
  },
  async introspection() {
    const signed = { ...basic, client: { ...basic.client, introspection_signed_response_alg: 'RS256' } };
    const token = async (at) => (await credentials(basic, { scope: 'read', resource: at })).access_token;
    return [
      ['JWT', async () => state(basic, await token(resource))],
      ['opaque', async () => state(basic, await token(site.opaque))],
      ['opaque', async () => state(signed, await token(site.opaque))],
      ['nonsense', async () => state(basic, 'nonsense')],
    ];
  },
  async revocation() {
    const token = async (at) => (await credentials(basic, { scope: 'read', resource: at })).access_token;
    return [
      ['JWT', async () => state(basic, await revoke(basic, await token(resource)))],
      ['opaque', async () => state(basic, await revoke(basic, await token(site.opaque)))],
      ['refresh token', async () => {
        const { refresh_token: it } = await robot(basic);
        return outcome(refreshed(basic, await revoke(basic, it)));
      }],
    ];
  },
  async dpop() {
    const bound = { client: { client_id: 'bound' }, auth: oauth.ClientSecretBasic(site.bound.secret) };
    const pair = await oauth.generateKeyPair('ES256');
    const DPoP = oauth.DPoP(bound.client, pair);
    return [
      ['bound', async () => words(await credentials(bound, read, { DPoP }), await thumbprint(pair.publicKey))],
      ['without a proof', async () => outcome(credentials(bound))],
    ];
  },
  async rotation() {
    const { access_token: first } = await credentials(basic);
    for (;;) {
      for (const token of [first, (await credentials(basic)).access_token]) {
        try {
          await taken(token);
          const { kid } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
          console.log(`accepted ${kid}`);
        } catch (error) {
          console.log(`refused: ${error}`);
        }
      }
    }
  },
  async refused() {
    const wrong = { ...basic, auth: oauth.ClientSecretBasic('wrong') };
    return [
      ['wrong secret', async () => outcome(credentials(wrong))],
      ["another's scope", async () => outcome(credentials(basic, { ...read, scope: 'admin' }))],
      ["another's resource", async () => outcome(credentials(basic, { ...read, resource: 'https://other.example' }))],
    ];
  },
});
