// An OpenID provider on loopback that issues JWT access tokens in RS256, ES256 and EdDSA and whose
// keys can be rotated while it serves, as its documentation has it: a new Provider over the same
// issuer, with another key set.
//
//   node oidc_provider.mjs PORT
//
//   POST /control/publish    a new key for each algorithm joins the key set; the old ones sign
//   POST /control/activate   the new keys sign; the old ones stay published

import { createServer } from 'node:http';
import { argv } from 'node:process';
import Provider from 'oidc-provider';
import { generateKeys } from './keys.mjs';

const port = Number(argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const algorithms = ['RS256', 'ES256', 'EdDSA'];

let active = generateKeys(algorithms);
let passive = [];
let callback = serve(active);

createServer((request, response) => {
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
      {
        client_id: 'interop',
        client_secret: 'interop-secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: true, getResourceServerInfo },
    },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

// The resource `urn:keyward:ES256` is an API that wants ES256.
function getResourceServerInfo(ctx, resource) {
  return {
    audience: 'api',
    scope: 'read write',
    accessTokenFormat: 'jwt',
    accessTokenTTL: 3600,
    jwt: { sign: { alg: resource.slice('urn:keyward:'.length) } },
  };
}
