import { randomUUID } from 'node:crypto';
import { GraphQLClient } from 'graphql-request';
import { graphql } from './gql/gql.js';

const [endpoint, token, subscriptionId] = process.argv.slice(2) as [string, string, string];
const client = new GraphQLClient(endpoint, {
  headers: { Authorization: `Bearer ${token}`, 'Wayout-Locale': 'en' },
});

const Options = graphql(`
  query Options($id: ID!) {
    cancellationOptions(subscriptionId: $id) {
      headline
      options { route available message quotes { id mode explanation refund { formatted } } }
    }
  }
`);
const Cancel = graphql(`
  mutation Cancel($input: CancelSubscriptionInput!) {
    cancelSubscription(input: $input) {
      __typename
      ... on CancelSubscriptionSuccess { replayed cancellation { reference status } }
      ... on QuoteChangedProblem { quote { id } }
      ... on Problem { code message path }
    }
  }
`);

const { cancellationOptions } = await client.request(Options, { id: subscriptionId });
if (!cancellationOptions) throw new Error('there is no such subscription');
console.log(cancellationOptions.headline);
const online = cancellationOptions.options.find((option) => option.route === 'CANCEL_ONLINE');
const quote = online?.quotes?.find(({ mode }) => mode === 'IMMEDIATE');
if (!quote) throw new Error(online?.message);
console.log(quote.refund?.formatted ?? 'no credit', '·', quote.explanation);

// One key per decision: a retry after a lost answer sends the same.
const input = { subscriptionId, quoteId: quote.id, idempotencyKey: randomUUID() };
const { cancelSubscription: done } = await client.request(Cancel, { input });
switch (done.__typename) {
  case 'CancelSubscriptionSuccess':
    console.log(done.cancellation.status, done.cancellation.reference);
    break;
  case 'QuoteChangedProblem':
    console.log('the numbers changed, ask again:', done.message);
    break;
  default:
    console.log(done.code, done.message);
}
