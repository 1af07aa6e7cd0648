// One GraphQL address for the portal and Wayout.
//
//   WAYOUT_GATEWAY_SECRET=... WAYOUT_TOKENS='{"contoso.example": "wyo_..."}' node gateway.mjs [--plain]
//
// --plain joins the portal's schema as it is; without it the portal is a subgraph in which subscriptions know their
// projects. Two prefixes of Authorization meet here, so each of the two gets a header of its own and never the other's.

import { createServer } from "node:http";
import { composeServices } from "@apollo/composition";
import { createGatewayRuntime } from "@graphql-hive/gateway-runtime";
import { buildClientSchema, getIntrospectionQuery, parse, printSchema } from "graphql";

const { WAYOUT = "http://127.0.0.1:8000", PORTAL = "http://127.0.0.1:8001", PORT = "4000" } = process.env;
const { WAYOUT_GATEWAY_SECRET: secret = "" } = process.env;
const tokens = JSON.parse(process.env.WAYOUT_TOKENS ?? "{}");
const plain = process.argv.includes("--plain");
const portal = `${PORTAL}/${plain ? "graphql" : "subgraph"}/`;
const wayout = `${WAYOUT}/subgraph/`;

async function ask(url, query, headers = {}) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = await answer.json();
  if (!data) throw new Error(`${url}: ${JSON.stringify(errors)}`);
  return data;
}

const subgraphSdl = async (url, headers) => (await ask(url, "{ _service { sdl } }", headers))._service.sdl;
const plainSdl = async (url) => printSchema(buildClientSchema(await ask(url, getIntrospectionQuery())));

const { supergraphSdl, errors } = composeServices([
  { name: "wayout", url: wayout, typeDefs: parse(await subgraphSdl(wayout, { "wayout-gateway": secret })) },
  { name: "portal", url: portal, typeDefs: parse(await (plain ? plainSdl : subgraphSdl)(portal)) },
]);
if (errors) throw new AggregateError(errors, errors.map((error) => error.message).join("\n"));

/** The token of the account that the portal says the caller works for: its word, asked for once a request. */
const known = new WeakMap();
function tokenOf(request) {
  if (!known.has(request)) known.set(request, findToken(request.headers.get("authorization")));
  return known.get(request);
}

async function findToken(authorization) {
  if (!authorization?.startsWith("JWT ")) return undefined;
  try {
    const { me } = await ask(portal, "{ me { account { domain } } }", { authorization });
    return tokens[me?.account?.domain];
  } catch {
    return undefined; // a token that the portal refuses is nobody
  }
}

async function headersFor({ request, subgraphName }) {
  const authorization = request.headers.get("authorization");
  if (subgraphName === "portal") return authorization?.startsWith("JWT ") ? { authorization } : {};
  const token = await tokenOf(request);
  const language = request.headers.get("wayout-locale");
  return {
    "wayout-gateway": secret,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(language ? { "wayout-locale": language } : {}),
  };
}

const gateway = createGatewayRuntime({
  supergraph: supergraphSdl,
  logging: false,
  maskedErrors: false, // Wayout masks what nobody may see, and its own errors are made for clients
  propagateHeaders: { fromClientToSubgraphs: headersFor },
});
createServer(gateway).listen(Number(PORT), "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}/graphql`);
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit());
