// Apollo Server over node-postgres: one statement for the rows, plain resolvers.

import { createHash } from "node:crypto";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import pg from "pg";

const LIMIT = 25;
const UNDER = ["CANCEL_ONLINE", "UNDO_CANCELLATION", "NOTHING_TO_CANCEL", "REMOVE_USERS", "REQUEST_CALLBACK", "CONTACT_PARTNER"];
const OVER = ["REMOVE_USERS", "REQUEST_CALLBACK", "UNDO_CANCELLATION", "NOTHING_TO_CANCEL", "CANCEL_ONLINE", "CONTACT_PARTNER"];

const typeDefs = `
  type Option { route: String! available: Boolean! reason: String! usersToRemove: Int }
  type Options { route: String! options: [Option!]! }
  type ProductSubscription {
    id: ID! name: String! status: String! purchasedLicenses: Int! assignedLicenses: Int! cancellationOptions: Options!
  }
  type Query { subscriptions(first: Int! = 20): [ProductSubscription!]! cancellationOptions(subscriptionId: ID!): Options }
`;

const CALLER = `
  SELECT array_agg(t.tenant_id) AS tenants FROM tenants_partnertoken p
  JOIN tenants_partnertoken_tenants t ON t.partnertoken_id = p.id
  WHERE p.digest = $1 AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now())`;
const ROWS = (more) => `
  SELECT s.id, coalesce(nullif(p.name, ''), p.part_number) AS name, s.base_status AS status, s.purchased_licenses,
         (SELECT count(*) FROM subscriptions_license l JOIN subscriptions_directoryuser u ON u.id = l.user_id
          WHERE l.subscription_id = s.id AND (l.is_direct OR l.is_inherited) AND u.deleted_at IS NULL)::int AS assigned
  FROM subscriptions_subscription s JOIN subscriptions_plan p ON p.id = s.plan_id
  WHERE s.tenant_id = ANY($1) ${more} ORDER BY s.id DESC LIMIT $2`;

function decide(assigned) {
  const under = assigned < LIMIT;
  const [routes, opened] = under ? [UNDER, 1] : [OVER, 2];
  const options = routes.map((route, number) => ({
    route,
    available: number < opened,
    reason: under ? "UNDER_LIMIT" : "LICENSES_AT_OR_OVER_LIMIT",
    usersToRemove: route === "REMOVE_USERS" && !under ? assigned - LIMIT + 1 : null,
  }));
  return { route: routes[0], options };
}

const resolvers = {
  Query: {
    subscriptions: async (_, { first }, { tenants }) => (await pool.query(ROWS(""), [tenants, first])).rows,
    cancellationOptions: async (_, { subscriptionId }, { tenants }) => {
      const { rows } = await pool.query(ROWS("AND s.id = $3"), [tenants, 1, subscriptionId.slice(4)]);
      return rows.length ? decide(rows[0].assigned) : null;
    },
  },
  ProductSubscription: {
    id: ({ id }) => `sub_${id}`,
    purchasedLicenses: (row) => row.purchased_licenses,
    assignedLicenses: (row) => row.assigned,
    cancellationOptions: (row) => decide(row.assigned),
  },
};

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const server = new ApolloServer({ typeDefs, resolvers });
await startStandaloneServer(server, {
  listen: { port: Number(process.env.PORT), host: "127.0.0.1" },
  context: async ({ req }) => {
    const digest = createHash("sha256").update(req.headers.authorization.slice(7)).digest("hex");
    return { tenants: (await pool.query(CALLER, [digest])).rows[0].tenants };
  },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit());
