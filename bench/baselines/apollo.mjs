// Apollo Server over node-postgres: one statement for the rows, plain resolvers.

import { createHash } from "node:crypto";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import pg from "pg";

const UNDER = ["CANCEL_ONLINE", "UNDO_CANCELLATION", "NOTHING_TO_CANCEL", "REMOVE_USERS", "REQUEST_CALLBACK", "CONTACT_PARTNER"];
const OVER = ["REMOVE_USERS", "REQUEST_CALLBACK", "UNDO_CANCELLATION", "NOTHING_TO_CANCEL", "CANCEL_ONLINE", "CONTACT_PARTNER"];

const typeDefs = `
  type Option { route: String! available: Boolean! reason: String! usersToRemove: Int }
  type Facts {
    isTrial: Boolean! hasPaymentMethod: Boolean purchasedLicenses: Int! assignedLicenses: Int! groupAssignedLicenses: Int!
    onlineLicenseLimit: Int! limitIsInclusive: Boolean! policyName: String! policyVersion: Int!
  }
  type Options { route: String! canAct: Boolean! facts: Facts! options: [Option!]! }
  type Tenant { id: ID! name: String! timeZone: String! }
  type ProductSubscription {
    id: ID! tenant: Tenant! name: String! status: String! isTrial: Boolean! purchasedLicenses: Int! assignedLicenses: Int!
    termMonths: Int cancellationOptions: Options!
  }
  type Query { subscriptions(first: Int! = 20): [ProductSubscription!]! cancellationOptions(subscriptionId: ID!): Options }
`;

const CALLER = `
  SELECT array_agg(t.tenant_id) AS tenants, p.scopes ? 'CANCEL' AS may_act FROM tenants_partnertoken p
  JOIN tenants_partnertoken_tenants t ON t.partnertoken_id = p.id
  WHERE p.digest = $1 AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now()) GROUP BY p.id`;
const ROWS = (more) => `
  SELECT s.id, coalesce(nullif(p.name, ''), p.part_number) AS name, s.base_status AS status, s.purchased_licenses,
         s.is_trial, s.term_months, s.tenant_id, t.name AS tenant_name, t.time_zone, h.assigned, h.by_group,
         b.payment_methods_known,
         EXISTS (SELECT 1 FROM billing_paymentmethod m WHERE m.account_id = b.id AND m.is_active) AS has_method,
         c.name AS policy, c.version, c.online_license_limit, c.limit_is_inclusive
  FROM subscriptions_subscription s JOIN subscriptions_plan p ON p.id = s.plan_id
  JOIN tenants_tenant t ON t.id = s.tenant_id
  JOIN billing_agreement a ON a.id = s.agreement_id JOIN billing_billingaccount b ON b.id = a.account_id
  JOIN LATERAL (SELECT * FROM subscriptions_cancellationpolicy c
                WHERE c.in_force AND (c.tenant_id = s.tenant_id OR c.tenant_id IS NULL)
                ORDER BY c.tenant_id NULLS LAST LIMIT 1) c ON true
  JOIN LATERAL (SELECT count(*)::int AS assigned, (count(*) FILTER (WHERE l.is_inherited))::int AS by_group
                FROM subscriptions_license l JOIN subscriptions_directoryuser u ON u.id = l.user_id
                WHERE l.subscription_id = s.id AND (l.is_direct OR l.is_inherited) AND u.deleted_at IS NULL) h ON true
  WHERE s.tenant_id = ANY($1) ${more} ORDER BY s.id DESC LIMIT $2`;

function decide(row, mayAct) {
  const { assigned, online_license_limit: limit } = row;
  const most = row.limit_is_inclusive ? limit : limit - 1;
  const under = assigned <= most;
  const [routes, opened] = under ? [UNDER, 1] : [OVER, 2];
  const options = routes.map((route, number) => ({
    route,
    available: number < opened,
    reason: under ? "UNDER_LIMIT" : "LICENSES_AT_OR_OVER_LIMIT",
    usersToRemove: route === "REMOVE_USERS" && !under ? assigned - most : null,
  }));
  const facts = {
    isTrial: row.is_trial,
    hasPaymentMethod: row.has_method ? true : row.payment_methods_known ? false : null,
    purchasedLicenses: row.purchased_licenses,
    assignedLicenses: assigned,
    groupAssignedLicenses: row.by_group,
    onlineLicenseLimit: limit,
    limitIsInclusive: row.limit_is_inclusive,
    policyName: row.policy,
    policyVersion: row.version,
  };
  return { route: routes[0], canAct: mayAct, facts, options };
}

const resolvers = {
  Query: {
    subscriptions: async (_, { first }, { tenants }) => (await pool.query(ROWS(""), [tenants, first])).rows,
    cancellationOptions: async (_, { subscriptionId }, { tenants, mayAct }) => {
      const { rows } = await pool.query(ROWS("AND s.id = $3"), [tenants, 1, subscriptionId.slice(4)]);
      return rows.length ? decide(rows[0], mayAct) : null;
    },
  },
  ProductSubscription: {
    id: ({ id }) => `sub_${id}`,
    tenant: (row) => ({ id: `ten_${row.tenant_id}`, name: row.tenant_name, timeZone: row.time_zone }),
    isTrial: (row) => row.is_trial,
    purchasedLicenses: (row) => row.purchased_licenses,
    assignedLicenses: (row) => row.assigned,
    termMonths: (row) => row.term_months,
    cancellationOptions: (row, _, { mayAct }) => decide(row, mayAct),
  },
};

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const server = new ApolloServer({ typeDefs, resolvers });
await startStandaloneServer(server, {
  listen: { port: Number(process.env.PORT), host: "127.0.0.1" },
  context: async ({ req }) => {
    const digest = createHash("sha256").update(req.headers.authorization.slice(7)).digest("hex");
    const [caller] = (await pool.query(CALLER, [digest])).rows;
    return { tenants: caller.tenants, mayAct: caller.may_act };
  },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit());
