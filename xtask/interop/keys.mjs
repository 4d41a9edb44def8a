// Private signing keys as JWKs, one an algorithm.
//
//   node keys.mjs ALGORITHM...    prints a JWK Set

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const shapes = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

/** @returns {object[]} a new private key for each of `algorithms`, as a JWK with `alg`, `use` and `kid` */
export function generateKeys(algorithms) {
  return algorithms.map((alg) => {
    const { privateKey } = generateKeyPairSync(...shapes[alg]);
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${randomUUID()}` };
  });
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify({ keys: generateKeys(argv.slice(2)) }));
}
