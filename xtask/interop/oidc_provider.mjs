// An OpenID provider on loopback that issues JWT access tokens in RS256, ES256 and EdDSA and whose
// keys can be rotated while it serves, as its documentation has it: a new Provider over the same
// issuer, with another key set. It issues opaque tokens as well, which it introspects and revokes, and
// tokens that are bound: to a key for `bound-dpop` (RFC 9449), to a certificate for `bound-certificate`
// (RFC 8705).
//
//   node oidc_provider.mjs PORT GATEWAY_JWK CERTIFIED
//
// GATEWAY_JWK is the public key that the client `gateway-private-key-jwt` signs its assertions with.
// CERTIFIED are its own keys for ES256 that have a certificate around them, in place of one without:
// a list of { kid, pem, x5c }.
//
// The certificate of a client is what X-Interop-Certificate says: base64, as if a proxy had seen it.
//
//   POST /control/publish    a new key for each algorithm joins the key set; the old ones sign
//   POST /control/activate   the new keys sign; the old ones stay published

import { createPrivateKey } from 'node:crypto';
import { createServer } from 'node:http';
import { argv } from 'node:process';
import Provider from 'oidc-provider';
import { generateKeys } from './keys.mjs';

const port = Number(argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const algorithms = ['RS256', 'ES256', 'EdDSA'];
const gatewayKey = JSON.parse(argv[3]);
const certified = JSON.parse(argv[4]).map(({ kid, pem, x5c }) => {
  return { ...createPrivateKey(pem).export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid, x5c };
});
const certificateHeader = 'x-interop-certificate';

// What can be asked for as `urn:keyward:NAME`, beside a JWT in an algorithm.
const opaque = {
  opaque: { audience: 'api', accessTokenTTL: 3600 },
  'opaque-brief': { audience: 'api', accessTokenTTL: 2 },
  'opaque-elsewhere': { audience: 'elsewhere', accessTokenTTL: 3600 },
};

let active = generateKeys(algorithms.filter((alg) => !certified.some((key) => key.alg === alg))).concat(certified);
let passive = [];
let callback = serve(active);

createServer((request, response) => {
  if (request.url === '/token/introspection') {
    console.log(`introspection with traceparent ${request.headers.traceparent}`);
  }
  if (request.method === 'POST' && request.url === '/control/publish') {
    passive = generateKeys(algorithms);
    callback = serve([...active, ...passive]);
    response.end();
  } else if (request.method === 'POST' && request.url === '/control/activate') {
    [active, passive] = [passive, active];
    callback = serve([...active, ...passive]);
    response.end();
  } else {
    callback(request, response);
  }
}).listen(port, '127.0.0.1', () => console.log(`oidc-provider at ${issuer}`));

// The first key that fits an algorithm signs, so the order of `keys` says which are active.
function serve(keys) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    scopes: ['read', 'write'],
    clients: [
      client('interop'),
      client('stranger'),
      client('gateway'),
      client('gateway-signed', { introspection_signed_response_alg: 'ES256' }),
      client('gateway-private-key-jwt', {
        client_secret: undefined,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [gatewayKey] },
      }),
      client('bound-dpop', { dpop_bound_access_tokens: true }),
      client('bound-certificate', { tls_client_certificate_bound_access_tokens: true }),
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtIntrospection: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => ctx.get(certificateHeader) || undefined,
      },
      resourceIndicators: { enabled: true, getResourceServerInfo },
      revocation: { enabled: true },
    },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

function client(id, more = {}) {
  return {
    client_id: id,
    client_secret: 'interop-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    ...more,
  };
}

// The resource `urn:keyward:ES256` is an API that wants ES256, `urn:keyward:KID` one that wants this
// certified key, `urn:keyward:opaque` one that introspects.
function getResourceServerInfo(ctx, resource) {
  const name = resource.slice('urn:keyward:'.length);
  if (name in opaque) {
    return { scope: 'read write', accessTokenFormat: 'opaque', ...opaque[name] };
  }
  return {
    audience: 'api',
    scope: 'read write',
    accessTokenFormat: 'jwt',
    accessTokenTTL: 3600,
    jwt: { sign: certified.find(({ kid }) => kid === name) ? { alg: 'ES256', kid: name } : { alg: name } },
  };
}
