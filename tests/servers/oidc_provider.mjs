// A certified OpenID provider (npm: oidc-provider) with the people that its environment names. It prints its
// issuer when it listens. Whoever logs in is believed; what they are to be found as is in PEOPLE.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const port = Number(process.env.PORT);
const people = JSON.parse(process.env.PEOPLE);
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "forewarn",
      client_secret: "a secret of the client",
      redirect_uris: JSON.parse(process.env.REDIRECT_URIS),
      response_types: ["code"],
      grant_types: ["authorization_code"],
    },
  ],
  jwks: { keys: [{ ...key, kid: process.env.KID, use: "sig", alg: "RS256" }] },
  cookies: { keys: ["of the test"] },
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  pkce: { required: () => true },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
});

createServer(provider.callback()).listen(port, "127.0.0.1", () => console.log(issuer));
