// Every grant and client method of the authority by openid-client.

import * as client from 'openid-client';
import { assertion, certificate, granted, key, main, site, thumbprint, traffic } from './authority_common.mjs';

const insecure = { execute: [client.allowInsecureRequests] };
const { resource } = site;
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

const discover = (id, auth, metadata = {}, options = {}) =>
  client.discovery(new URL(site.issuer), id, metadata, auth, { ...insecure, ...options });
const basic = (metadata) => discover('basic', client.ClientSecretBasic(site.basic.secret), metadata);
// A service account needs no client (RFC 7523 section 3.1).
const nobody = () => discover('nobody', () => {});

const words = (config, tokens, bound) => granted(tokens, config.serverMetadata().jwks_uri, bound);
const read = { scope: 'read', resource };

async function credentials(config, parameters = read) {
  return words(config, await client.clientCredentialsGrant(config, parameters));
}

// Tokens for a service account, with a client that may refresh them.
async function robot(config) {
  return client.genericGrantRequest(config, JWT_BEARER, { ...read, assertion: await assertion(site.robot) });
}

async function state(config, token) {
  const said = await client.tokenIntrospection(config, token);
  return said.active ? ['active', said.client_id, said.scope].join(', ') : 'inactive';
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
        const server = (await basic()).serverMetadata();
        const other = (await discover('basic', client.None(), {}, { algorithm: 'oauth2' })).serverMetadata();
        const ends = ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint', 'jwks_uri'];
        return ends.map((end) => server[end] === other[end] && server[end].replace(`${site.issuer}/`, '')).join(', ');
      }],
    ];
  },
  async 'client-credentials'() {
    return [
      ['client_secret_basic', async () => credentials(await basic())],
      ['client_secret_post', async () => credentials(await discover('post', client.ClientSecretPost(site.post.secret)))],
      ['opaque', async () => credentials(await basic(), { scope: 'read', resource: site.opaque })],
    ];
  },
  async 'private-key-jwt'() {
    const auth = client.PrivateKeyJwt(await key(site.assertion.key));
    return [['private_key_jwt', async () => credentials(await discover('assertion', auth))]];
  },
  async 'jwt-bearer'() {
    const config = await nobody();
    return [['service account', async () => words(config, await robot(config))]];
  },
  async 'token-exchange'() {
    const config = await basic();
    const exchange = async (token) => {
      const parameters = { ...read, subject_token: token, subject_token_type: ACCESS_TOKEN };
      return words(config, await client.genericGrantRequest(config, EXCHANGE, parameters));
    };
    return [
      ['of oidc-provider', async () => exchange(site.subject_token)],
      ['of ours', async () => exchange((await client.clientCredentialsGrant(config, read)).access_token)],
    ];
  },
  async refresh() {
    const config = await basic();
    const first = await robot(config);
    const next = await client.refreshTokenGrant(config, first.refresh_token);
    return [
      ['next', async () => words(config, next)],
      ['used again', async () => outcome(client.refreshTokenGrant(config, first.refresh_token))],
      ['its successor', async () => outcome(client.refreshTokenGrant(config, next.refresh_token))],
    ];
  },
  async introspection() {
    const config = await basic();
    const signed = await basic({ introspection_signed_response_alg: 'RS256' });
    const token = async (at) => {
      return (await client.clientCredentialsGrant(config, { scope: 'read', resource: at })).access_token;
    };
    return [
      ['JWT', async () => state(config, await token(resource))],
      ['opaque', async () => state(config, await token(site.opaque))],
      ['opaque', async () => state(signed, await token(site.opaque))],
      ['nonsense', async () => state(config, 'nonsense')],
    ];
  },
  async revocation() {
    const config = await basic();
    const revoked = async (at) => {
      const { access_token: token } = await client.clientCredentialsGrant(config, { scope: 'read', resource: at });
      await client.tokenRevocation(config, token);
      return state(config, token);
    };
    return [
      ['JWT', async () => revoked(resource)],
      ['opaque', async () => revoked(site.opaque)],
      ['refresh token', async () => {
        const { refresh_token: token } = await robot(config);
        await client.tokenRevocation(config, token);
        return outcome(client.refreshTokenGrant(config, token));
      }],
    ];
  },
  async dpop() {
    const config = await discover('bound', client.ClientSecretBasic(site.bound.secret));
    const pair = await client.randomDPoPKeyPair('ES256');
    const DPoP = client.getDPoPHandle(config, pair);
    return [
      ['bound', async () => {
        const tokens = await client.clientCredentialsGrant(config, read, { DPoP });
        return words(config, tokens, await thumbprint(pair.publicKey));
      }],
      ['without a proof', async () => outcome(client.clientCredentialsGrant(config, read))],
    ];
  },
  async 'mutual-tls'() {
    const by = async (id, { fetch, thumbprint }) => {
      const config = await discover(id, client.TlsClientAuth(), {}, { [client.customFetch]: fetch });
      return words(config, await client.clientCredentialsGrant(config, read), thumbprint);
    };
    const [certified, selfSigned] = ['certified', 'self-signed'].map(certificate);
    return [
      ['tls_client_auth', async () => by('certified', certified)],
      ['self_signed_tls_client_auth', async () => by('self-signed', selfSigned)],
      ["another's certificate", async () => outcome(by('certified', selfSigned))],
      ["another's certificate", async () => outcome(by('self-signed', certified))],
    ];
  },
  async rotation() {
    const config = await basic();
    const obtain = async () => (await client.clientCredentialsGrant(config, read)).access_token;
    return traffic(obtain, config.serverMetadata().jwks_uri);
  },
  async refused() {
    const wrong = await discover('basic', client.ClientSecretBasic('wrong'));
    const config = await basic();
    return [
      ['wrong secret', async () => outcome(client.clientCredentialsGrant(wrong, read))],
      ["another's scope", async () => outcome(client.clientCredentialsGrant(config, { ...read, scope: 'admin' }))],
      ["another's resource", async () => {
        return outcome(client.clientCredentialsGrant(config, { ...read, resource: 'https://other.example' }));
      }],
    ];
  },
});
