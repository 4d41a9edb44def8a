// A client by openid-client whose tokens are bound to a key of its own (RFC 9449).
//
//   node dpop_client.mjs ISSUER SERVICE STEP [GATEWAY…]
//
// Where there are gateways, they are the service: a request goes to the first, unless it says to which.
//
// Gets a token at ISSUER, calls SERVICE, and prints what came of it: a list of [question, answer].

import { argv } from 'node:process';
import * as client from 'openid-client';

const [issuer, service, step, ...gateways] = argv.slice(2);

const config = await client.discovery(
  new URL(issuer),
  'bound-dpop',
  {},
  client.ClientSecretBasic('interop-secret'),
  { execute: [client.allowInsecureRequests] },
);

// Every request to the service, as openid-client sends it.
const requests = [];
config[client.customFetch] = (url, options) => {
  if (url.startsWith(service)) {
    requests.push({ url, method: options.method, headers: { ...options.headers } });
  }
  return fetch(at(url, 0), options);
};

const ours = await handle();
const { access_token: token, token_type: type } = await client.clientCredentialsGrant(
  config,
  { scope: 'read', resource: step === 'introspected' ? 'urn:keyward:opaque' : 'urn:keyward:ES256' },
  { DPoP: ours },
);

const answers = [['token type', type]];
for (const [question, answer] of await steps()[step]()) {
  answers.push([question, answer]);
}
console.log(JSON.stringify(answers));

function steps() {
  return {
    async accepted() {
      return [
        ['GET', await call('/a', 'GET')],
        ['with a query', await call('/a?b=c', 'GET')],
        ['with an encoded path', await call('/a%20b/%7Ec', 'GET')],
        ['POST', await call('/a', 'POST')],
      ];
    },
    async replayed() {
      const first = await call('/a', 'GET');
      return [['first', first], ['again', await send(requests[0])]];
    },
    async shared() {
      const first = await call('/a', 'GET');
      return [['first', first], ['elsewhere', await send(requests[0], 1)], ['again', await send(requests[0])]];
    },
    async bearer() {
      const bearer = { authorization: `Bearer ${token}` };
      const [url, method] = [`${service}/a`, 'GET'];
      await call('/a', 'GET');
      return [
        ['alone', await send({ url, method, headers: bearer })],
        ['with a proof', await send({ url, method, headers: { ...bearer, dpop: requests[0].headers.dpop } })],
      ];
    },
    async 'another-key'() {
      return [['proof by another key', await call('/a', 'GET', await handle())]];
    },
    async 'another-request'() {
      // Proofs that the service has not seen: each is sent elsewhere than it was made for.
      config[client.customFetch] = async (url, options) => {
        requests.push({ url, method: options.method, headers: { ...options.headers } });
        return new Response();
      };
      const url = `${service}/a`;
      const made = async (url) => {
        const options = { DPoP: ours };
        await client.fetchProtectedResource(config, token, new URL(url), 'GET', null, undefined, options);
        return requests.pop();
      };
      return [
        ['this one', await send(await made(url))],
        ['another path', await send({ ...(await made(url)), url: `${service}/b` })],
        ['another method', await send({ ...(await made(url)), method: 'POST' })],
        ['another host', await send({ ...(await made(url.replace('127.0.0.1', 'localhost'))), url })],
      ];
    },
    async introspected() {
      return [
        ['first', await call('/a', 'GET')],
        ['again', await send(requests[0])],
        ['as bearer', await send({ ...requests[0], headers: { authorization: `Bearer ${token}` } })],
        ['proof by another key', await call('/a', 'GET', await handle())],
      ];
    },
    async nonce() {
      const first = await call('/a', 'GET');
      const seen = requests.length;
      const next = await call('/a', 'GET');
      return [
        ['first', `${first}, requests: ${seen}`],
        ['next', `${next}, requests: ${requests.length - seen}`],
      ];
    },
  };
}

async function handle() {
  return client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
}

// By openid-client, which asks again by itself where a nonce is demanded.
async function call(path, method, DPoP = ours) {
  try {
    const response = await client.fetchProtectedResource(
      config, token, new URL(service + path), method, null, undefined, { DPoP },
    );
    return shown(response);
  } catch (error) {
    if (error.response === undefined) {
      throw error;
    }
    return shown(error.response);
  }
}

async function send({ url, method, headers }, gateway = 0) {
  return shown(await fetch(at(url, gateway), { method, headers }));
}

function at(url, gateway) {
  return url.startsWith(service) ? url.replace(service, gateways[gateway] ?? service) : url;
}

// The status, the reason, and the error with the scheme whose challenge names it.
function shown(response) {
  const parts = [response.status, response.headers.get('x-keyward-reason')];
  const challenges = response.headers.get('www-authenticate') ?? '';
  for (const [, scheme, members] of challenges.matchAll(/\b(Bearer|DPoP)\b((?:(?:,\s*|\s+)\w+="[^"]*")*)/g)) {
    parts.push(members.match(/\berror="([^"]*)"/)?.[1].replace(/^/, `${scheme} `));
  }
  return parts.filter(Boolean).join(', ');
}
