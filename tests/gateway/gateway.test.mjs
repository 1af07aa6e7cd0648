// Everything that a portal does through its gateway, asked of both. Run by tests/served/test_gateway.py.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { buildSchema } from "graphql";
import { serveCrm, typeDefs } from "./crm.mjs";
import { apollo, compose, hive } from "./gateways.mjs";

const { WAYOUT_URL, WAYOUT_TOKEN, WAYOUT_READER, WAYOUT_SECRET, ONLINE, OVER_LIMIT, FOREIGN, USER } = process.env;

const sdlOf = async () => {
  const answer = await fetch(WAYOUT_URL, {
    method: "POST",
    headers: { "content-type": "application/json", "wayout-gateway": WAYOUT_SECRET },
    body: JSON.stringify({ query: "{ _service { sdl } }" }),
  });
  return (await answer.json()).data._service.sdl;
};

let crm, supergraph, running;

before(async () => {
  crm = await serveCrm([
    { id: "t1", text: "Too expensive", about: { id: ONLINE }, openedBy: { id: USER } },
    { id: "t2", text: "Of others", about: { id: FOREIGN }, openedBy: null },
    { id: "t3", text: "Again", about: { id: OVER_LIMIT }, openedBy: { id: USER } },
  ]);
  supergraph = compose([
    { name: "wayout", url: WAYOUT_URL, typeDefs: await sdlOf() },
    { name: "crm", url: crm.url, typeDefs },
  ]);
  running = { apollo: await apollo(supergraph, WAYOUT_SECRET), hive: await hive(supergraph, WAYOUT_SECRET) };
});

after(async () => {
  await Promise.all([running?.apollo.stop(), running?.hive.stop(), crm?.stop()]);
});

test("it composes, alone and with another subgraph", async () => {
  compose([{ name: "wayout", url: WAYOUT_URL, typeDefs: await sdlOf() }]);
  assert.match(supergraph, /type ProductSubscription[^{]*@join__type\(graph: CRM, key: "id"\)[^{]*@join__type\(graph: WAYOUT, key: "id"\)/s);
  assert.match(supergraph, /Signed and expiring: cancelSubscription executes it to the cent or refuses\./);
  assert.ok(buildSchema(supergraph, { assumeValid: true }));
});

for (const which of ["apollo", "hive"]) {
  describe(`behind ${which}`, () => {
    const ask = async (query, variables = {}, { token = WAYOUT_TOKEN, language = "en" } = {}) => {
      const answer = await fetch(running[which].url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "wayout-locale": language,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
        body: JSON.stringify({ query, variables }),
      });
      return answer.json();
    };
    const data = async (...given) => {
      const answer = await ask(...given);
      assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
      return answer.data;
    };

    test("an entity of ours with a field of theirs", async () => {
      const { subscription } = await data("query ($id: ID!) { subscription(id: $id) { name health } }", { id: ONLINE });
      assert.deepEqual(subscription, { name: "Team Chat", health: `health of ${ONLINE}` });
    });

    test("entities of theirs with fields of ours; a foreign one is null with its error", async () => {
      const answer = await ask("{ tickets { nodes { text about { id name } openedBy { displayName nickname } } } }");
      const [mine, others, again] = answer.data.tickets.nodes;
      assert.equal(mine.about.name, "Team Chat");
      assert.equal(again.about.name, "Business Suite");
      assert.ok(mine.openedBy?.displayName, JSON.stringify(answer));
      assert.equal(mine.openedBy.nickname, `nickname of ${USER}`);
      assert.equal(others.about, null);
      assert.ok(answer.errors.some((error) => error.extensions.code === "NOT_FOUND"), JSON.stringify(answer.errors));
    });

    test("a list with both", async () => {
      const { subscriptions } = await data("{ subscriptions(first: 5) { totalCount pageInfo { hasNextPage } edges { node { id health assignedLicenses } } } }");
      assert.equal(subscriptions.edges.length, 5);
      for (const { node } of subscriptions.edges) assert.equal(node.health, `health of ${node.id}`);
    });

    test("a union and an interface: a problem comes through with its code, its sentence and the new options", async () => {
      const cancel = `mutation ($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
        __typename ... on Problem { code message path } ... on NotAvailableProblem { cancellationOptions { route } } } }`;
      const input = { subscriptionId: OVER_LIMIT, quoteId: "x", idempotencyKey: "k" };
      const { cancelSubscription: said } = await data(cancel, { input });
      assert.equal(said.__typename, "NotAvailableProblem");
      assert.equal(said.code, "ROUTE_NOT_AVAILABLE");
      assert.equal(said.cancellationOptions.route, "REMOVE_USERS");
      assert.deepEqual(said.path, ["input", "subscriptionId"]);
    });

    test("a cancellation by a quote, then its undo, with the other subgraph's field in the answer", async () => {
      const options = await data("query ($id: ID!) { cancellationOptions(subscriptionId: $id) { options { quotes { id mode } } } }", { id: ONLINE });
      const quote = options.cancellationOptions.options.flatMap((option) => option.quotes ?? []).find((quote) => quote.mode === "IMMEDIATE");
      const cancel = `mutation ($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
        ... on CancelSubscriptionSuccess { replayed cancellation { id reference subscription { health } } } ... on Problem { code } } }`;
      const input = { subscriptionId: ONLINE, quoteId: quote.id, idempotencyKey: `gateway-${which}` };
      const { cancelSubscription: done } = await data(cancel, { input });
      assert.equal(done.cancellation.subscription.health, `health of ${ONLINE}`);
      const { cancelSubscription: again } = await data(cancel, { input });
      assert.deepEqual([again.replayed, again.cancellation.reference], [true, done.cancellation.reference]);
      const undo = "mutation ($input: UndoCancellationInput!) { undoCancellation(input: $input) { ... on UndoCancellationSuccess { cancellation { status } } ... on Problem { code } } }";
      assert.equal((await data(undo, { input: { cancellationId: done.cancellation.id } })).undoCancellation.cancellation.status, "UNDONE");
    });

    test("the language header arrives", async () => {
      const query = "query ($id: ID!) { cancellationOptions(subscriptionId: $id) { headline } }";
      const headline = async (language) => (await data(query, { id: OVER_LIMIT }, { language })).cancellationOptions.headline;
      assert.match(await headline("bg"), /Присвоени са 32 лиценза/);
      assert.match(await headline("en"), /32 licenses are assigned/);
    });

    test("the caller's token decides: none, a wrong one, one that reads only", async () => {
      const code = async (token, query = "{ viewer { id } }") => (await ask(query, {}, { token })).errors?.[0]?.extensions?.code;
      assert.equal(await code(null), "NOT_AUTHENTICATED");
      assert.equal(await code("wyo_test_wrong"), "NOT_AUTHENTICATED");
      assert.equal(await code(WAYOUT_READER), undefined);
      assert.equal(await code(WAYOUT_READER, "{ tickets { nodes { openedBy { displayName } } } }"), "NOT_PERMITTED");
    });

    test("errors are coded and tell nothing of the inside", async () => {
      const answer = await ask('{ subscriptions(first: 5, after: "nonsense") { totalCount } }');
      assert.equal(answer.errors[0].extensions.code, "INPUT_INVALID");
      assert.doesNotMatch(JSON.stringify(answer), /Traceback|File \\"|psycopg|django/);
    });

    test("limits hold through the gateway", async () => {
      const many = Array.from({ length: 60 }, (_, n) => `a${n}: subscription(id: "sub_1") { id }`).join(" ");
      const answer = await ask(`{ ${many} }`);
      assert.equal(answer.errors[0].extensions.code, "INPUT_INVALID");
      // Hive asks for more than it was asked, so that it meets another limit first.
      assert.match(answer.errors[0].message, /too large|more than 1000 tokens/);
    });

    test("entities alone are not for the public", async () => {
      const answer = await ask('{ _entities(representations: []) { __typename } }');
      assert.ok(answer.errors);
    });
  });
}
