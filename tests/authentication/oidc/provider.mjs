// An OpenID provider on this machine. It prints its issuer, signs by new keys after each line of its
// standard input, and ends with it.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

console.info = console.warn = () => {}; // the package's notices
const [secret] = process.argv.slice(2);
const scope = 'orders:read orders:write';
const servers = {
  'https://api.example': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://rsa.example': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'PS256' } } },
  'https://opaque.example': { accessTokenFormat: 'opaque' },
};

function privateKey(kind, options, alg) {
  const { privateKey: key } = generateKeyPairSync(kind, options);
  const kid = randomBytes(8).toString('hex');
  return { ...key.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

function makeProvider(issuer) {
  return new Provider(issuer, {
    clients: [{
      client_id: 'api:1 x+y', // with characters that have to be encoded in HTTP Basic
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    }],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, audience) => ({ audience, scope, accessTokenTTL: 600, ...servers[audience] }),
      },
    },
    jwks: {
      keys: [
        privateKey('ec', { namedCurve: 'P-256' }, 'ES256'),
        privateKey('rsa', { modulusLength: 2048 }, 'PS256'),
        privateKey('rsa', { modulusLength: 2048 }, 'RS256'),
      ],
    },
    scopes: scope.split(' '),
    cookies: { keys: [randomBytes(16).toString('hex')] },
  });
}

let handle;
const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = makeProvider(issuer).callback();
  console.log(issuer);
  createInterface({ input: process.stdin })
    .on('line', () => {
      handle = makeProvider(issuer).callback();
      console.log('rotated');
    })
    .on('close', () => process.exit(0));
});
