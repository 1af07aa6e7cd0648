// A second subgraph: what another team knows of the same subscriptions and users.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { buildSubgraphSchema } from "@apollo/subgraph";
import gql from "graphql-tag";

export const typeDefs = gql`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external"])

  type Query {
    tickets(first: Int! = 20): TicketConnection!
  }

  type TicketConnection { nodes: [Ticket!]! pageInfo: PageInfo! }

  type PageInfo @shareable { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }

  type Ticket { id: ID! text: String! about: ProductSubscription openedBy: DirectoryUser }

  type ProductSubscription @key(fields: "id") { id: ID! health: String! }

  type DirectoryUser @key(fields: "id") { id: ID! nickname: String! }
`;

/** The subgraph over tickets about subscriptions with these ids; answers its address. */
export async function serveCrm(tickets) {
  const resolvers = {
    Query: {
      tickets: (_, { first }) => ({
        nodes: tickets.slice(0, first),
        pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
      }),
    },
    ProductSubscription: { __resolveReference: ({ id }) => ({ id }), health: ({ id }) => `health of ${id}` },
    DirectoryUser: { __resolveReference: ({ id }) => ({ id }), nickname: ({ id }) => `nickname of ${id}` },
  };
  const server = new ApolloServer({ schema: buildSubgraphSchema({ typeDefs, resolvers }) });
  const { url } = await startStandaloneServer(server, { listen: { port: 0, host: "127.0.0.1" } });
  return { url, stop: () => server.stop() };
}
