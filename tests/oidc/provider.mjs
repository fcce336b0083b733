// A real identity provider for the tests: node provider.mjs PORT. Anybody signs in by a name; the name says the groups.
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const redirect = "http://127.0.0.1:9/signed-in";
const client = (id, more) => ({
  client_id: id,
  client_secret: "a secret: of/the test+ client",
  redirect_uris: [redirect, ...process.argv.slice(3)],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  id_token_signed_response_alg: "RS256",
  token_endpoint_auth_method: "client_secret_basic",
  ...more,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client("lotroom"), client("other"), client("public", { client_secret: undefined, token_endpoint_auth_method: "none" })],
  claims: { openid: ["sub", "groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["only for tests"] },
  ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, groups: id.split("+").slice(1) }) }),
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
