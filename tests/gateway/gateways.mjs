// The supergraph of both subgraphs behind Apollo Gateway and behind Hive Gateway.

import { createServer } from "node:http";
import { composeServices } from "@apollo/composition";
import { ApolloGateway, RemoteGraphQLDataSource } from "@apollo/gateway";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { createGatewayRuntime } from "@graphql-hive/gateway-runtime";
import { parse } from "graphql";

const PASSED_ON = ["authorization", "wayout-locale"];

export function compose(services) {
  const { supergraphSdl, errors } = composeServices(services.map(({ name, url, typeDefs }) => ({ name, url, typeDefs: typeof typeDefs === "string" ? parse(typeDefs) : typeDefs })));
  if (errors) throw new AggregateError(errors, errors.map((error) => error.message).join("\n"));
  return supergraphSdl;
}

/** Who may ask Wayout's subgraph, and on whose behalf. */
const headersFor = (secret, given) => ({
  "wayout-gateway": secret,
  ...Object.fromEntries(PASSED_ON.filter((name) => given(name)).map((name) => [name, given(name)])),
});

export async function apollo(supergraphSdl, secret) {
  class Wayout extends RemoteGraphQLDataSource {
    willSendRequest({ request, context }) {
      for (const [name, value] of Object.entries(headersFor(secret, (name) => context.headers?.[name]))) request.http.headers.set(name, value);
    }
  }
  const gateway = new ApolloGateway({ supergraphSdl, buildService: ({ url }) => new Wayout({ url }), logger: quiet });
  const server = new ApolloServer({ gateway, logger: quiet });
  const { url } = await startStandaloneServer(server, {
    listen: { port: 0, host: "127.0.0.1" },
    context: async ({ req }) => ({ headers: req.headers }),
  });
  return { name: "Apollo Gateway", url, stop: () => server.stop() };
}

export async function hive(supergraphSdl, secret) {
  const runtime = createGatewayRuntime({
    supergraph: supergraphSdl,
    logging: false,
    maskedErrors: false,
    propagateHeaders: {
      fromClientToSubgraphs: ({ request }) => headersFor(secret, (name) => request.headers.get(name)),
    },
  });
  const server = createServer(runtime);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    name: "Hive Gateway",
    url: `http://127.0.0.1:${server.address().port}/graphql`,
    stop: async () => { await runtime[Symbol.asyncDispose]?.(); server.closeAllConnections(); server.close(); },
  };
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
