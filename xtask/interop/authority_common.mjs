// What the clients of the authority have in common: what they are told, and how they say what they got.
//
//   node authority_LIBRARY.mjs SITE STEP
//
// SITE is a file that says where the authority is, and who its clients are. Prints what came of it: a list of
// [question, answer]. STEP `rotation` goes on until it is ended, with a line for each token.

import { X509Certificate, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import process, { argv } from 'node:process';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { SignJWT, calculateJwkThumbprint, createRemoteJWKSet, importJWK, jwtVerify } from 'jose';

export const site = JSON.parse(readFileSync(argv[2], 'utf8'));
const [, , , step] = argv;

export const key = async (jwk) => ({ key: await importJWK(jwk, jwk.alg), kid: jwk.kid });

// An assertion for the JWT-bearer grant (RFC 7523 section 2.1).
export async function assertion({ id, key: jwk }) {
  const jwt = new SignJWT({}).setProtectedHeader({ alg: jwk.alg, kid: jwk.kid }).setIssuer(id).setSubject(id);
  jwt.setAudience(site.issuer).setIssuedAt().setExpirationTime('1m').setJti(crypto.randomUUID());
  return jwt.sign(await importJWK(jwk, jwk.alg));
}

export async function thumbprint(publicKey) {
  return calculateJwkThumbprint(await crypto.subtle.exportKey('jwk', publicKey));
}

// What a token endpoint granted, in words; the token is verified where it is a JWT.
export async function granted({ access_token: token, token_type: type, scope }, jwksUri, bound) {
  const words = [/dpop/i.test(type) ? 'DPoP' : 'Bearer', scope];
  if (token.split('.').length !== 3) {
    return [...words, 'opaque'].join(', ');
  }
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwksUri)), {
    issuer: site.issuer,
    audience: site.resource,
    typ: 'at+jwt',
  });
  const { sub, subject_type: kind, cnf } = payload;
  words.push(`of ${kind} ${kind === 'identity' ? 'somebody' : sub}`);
  if (cnf?.jkt !== undefined) {
    words.push(cnf.jkt === bound ? 'its key' : 'another key');
  }
  if (cnf?.['x5t#S256'] !== undefined) {
    words.push(cnf['x5t#S256'] === bound ? 'its certificate' : 'another certificate');
  }
  return words.join(', ');
}

export async function main(steps) {
  const answers = [];
  for (const [question, ask] of await steps[step]()) {
    answers.push([question, await ask()]);
  }
  console.log(JSON.stringify(answers));
}

// A client's certificate: how to fetch with it, and its thumbprint (RFC 8705 section 3.1).
export function certificate(name) {
  const [cert, key] = ['pem', 'key'].map((end) => readFileSync(`${process.env.CERTIFICATES}/${name}.${end}`));
  const ca = readFileSync(process.env.NODE_EXTRA_CA_CERTS);
  const thumbprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url');
  const fetch = (url, { method, headers, body }) => new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: Object.fromEntries(new Headers(headers)), cert, key, ca }, async (answer) => {
      resolve(new Response(await buffer(answer), { status: answer.statusCode, headers: answer.headers }));
    });
    sent.on('error', reject).end(body?.toString());
  });
  return { fetch, thumbprint };
}

// Gets tokens with `obtain` and verifies them, and the first one, by the key set as jose keeps it, until it is ended.
export async function traffic(obtain, jwksUri) {
  const keys = createRemoteJWKSet(new URL(jwksUri));
  const first = await obtain();
  for (;;) {
    for (const token of [first, await obtain()]) {
      try {
        const { protectedHeader } = await jwtVerify(token, keys, { issuer: site.issuer, typ: 'at+jwt' });
        console.log(`accepted ${protectedHeader.kid}`);
      } catch (error) {
        console.log(`refused: ${error}`);
      }
    }
    await setTimeout(20);
  }
}
