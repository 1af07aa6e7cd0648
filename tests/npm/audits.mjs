// Runs the GraphQL-over-HTTP audits against the URL in the first argument; prints one JSON line a finding.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2], fetchFn: fetch });
for (const { id, name, status, reason, response } of results) {
  const answer = status === 'ok' ? undefined : `${response?.status} ${response?.headers?.get('content-type')}`;
  console.log(JSON.stringify({ id, name, status, reason, answer }));
}
