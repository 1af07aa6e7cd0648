"""The operations of the tests."""

QUOTE = """
  id mode pricedAt expiresAt effectiveAt timeZone
  refund { amount currency formatted } noRefundReason creditForm explanation refundDueBy
  lines { description periodStart periodEnd charged { amount } used { amount } refund { amount }
          refundTax { amount } usedUnits periodUnits reason }
  pendingCharges { amount } affectedUsers usersStillCovered
  accessEndsAt dataAvailableUntil dataErasedBy undoUntil prorationConvention
"""
OPTIONS_FIELDS = f"""
  route headline canAct eligibleRoles decidedAt
  options {{ route available reason message usersToRemove quotes {{ {QUOTE} }} }}
  facts {{ isTrial hasPaymentMethod purchasedLicenses assignedLicenses groupAssignedLicenses onlineLicenseLimit
           limitIsInclusive policyName policyVersion pendingRemovals }}
"""
OPTIONS = f"query($id: ID!) {{ cancellationOptions(subscriptionId: $id) {{ {OPTIONS_FIELDS} }} }}"
PROBLEM = "__typename ... on Problem { code message path }"
CANCELLATION = """
  id reference mode status requestedAt requestedBy canceledBy { kind displayName vouchedBy } effectiveAt undoUntil noRefundReason
  accessEndsAt dataAvailableUntil dataErasedBy receiptUrl feedback comment
  refunds { id amount { amount formatted } status creditForm dueBy settledAt overdue }
  subscription { id status }
"""
CANCEL = f"""
mutation($input: CancelSubscriptionInput!) {{ cancelSubscription(input: $input) {{ {PROBLEM}
  ... on CancelSubscriptionSuccess {{ replayed cancellation {{ {CANCELLATION} }} }}
  ... on QuoteChangedProblem {{ quote {{ {QUOTE} }} }}
  ... on NotAvailableProblem {{ cancellationOptions {{ route }} }}
}} }}"""
UNDO = f"""
mutation($input: UndoCancellationInput!) {{ undoCancellation(input: $input) {{ {PROBLEM}
  ... on UndoCancellationSuccess {{ cancellation {{ {CANCELLATION} }} }}
  ... on NotAvailableProblem {{ cancellationOptions {{ route }} }}
}} }}"""
FEEDBACK = f"""
mutation($input: CancellationFeedbackInput!) {{ submitCancellationFeedback(input: $input) {{ {PROBLEM}
  ... on CancellationFeedbackSuccess {{ cancellation {{ {CANCELLATION} }} }}
}} }}"""
MARK_PAID = f"""
mutation($input: MarkRefundPaidInput!) {{ markRefundPaid(input: $input) {{ {PROBLEM}
  ... on MarkRefundPaidSuccess {{ refund {{ id amount {{ formatted }} status creditForm dueBy settledAt overdue }} }}
}} }}"""
REMOVAL_REQUEST = """
  id requested confirmed refused refusals { userId outcome message groupNames user { id displayName } }
  subscription { id assignedLicenses pendingRemovals }
"""
FOLLOW = f"query($id: ID!) {{ removalRequest(id: $id) {{ {REMOVAL_REQUEST} }} }}"
SETTLE = f"""
mutation($input: SettleRemovalsInput!) {{ settleRemovals(input: $input) {{ {PROBLEM}
  ... on SettleRemovalsSuccess {{ settled conflicts unknown }}
}} }}"""
REMOVE = f"""
mutation($input: RemoveUsersInput!) {{ removeUsers(input: $input) {{ {PROBLEM}
  ... on RemoveUsersSuccess {{ dryRun removedCount removalRequest {{ {REMOVAL_REQUEST} }}
    results {{ userId outcome groupNames message user {{ id displayName }} }}
    cancellationOptions {{ route headline facts {{ assignedLicenses pendingRemovals }}
      options {{ route reason usersToRemove available }} }} }}
  ... on NotAvailableProblem {{ cancellationOptions {{ route }} }}
}} }}"""
CALLBACK = """
  id reference status contactName phone language timeZone nextAttemptAt attempts requestedAt creditFrom
  closedAt closeReason window { id start end label } subscription { id openCallback { id } latestCallback { id } }
"""
REQUEST = f"""
mutation($input: RequestCallbackInput!) {{ requestCallback(input: $input) {{ {PROBLEM}
  ... on RequestCallbackSuccess {{ existing callbackRequest {{ {CALLBACK} }} }}
  ... on NotAvailableProblem {{ cancellationOptions {{ route }} }}
}} }}"""
RESCHEDULE = f"""
mutation($input: RescheduleCallbackInput!) {{ rescheduleCallback(input: $input) {{ {PROBLEM}
  ... on RequestCallbackSuccess {{ existing callbackRequest {{ {CALLBACK} }} }}
  ... on NotAvailableProblem {{ cancellationOptions {{ route }} }}
}} }}"""
WITHDRAW = f"""
mutation($input: WithdrawCallbackInput!) {{ withdrawCallback(input: $input) {{ {PROBLEM}
  ... on WithdrawCallbackSuccess {{ callbackRequest {{ {CALLBACK} }} }}
}} }}"""
WINDOWS = """
query($id: ID!, $zone: String!, $days: Int! = 5) {
  callbackWindows(subscriptionId: $id, timeZone: $zone, days: $days) { id start end label } }"""
SUBSCRIPTION = f"""
  id name status isTrial channel partnerName purchasedLicenses assignedLicenses unusedLicenses overAssignedLicenses pendingRemovals
  currentPeriodStart currentPeriodEnd termMonths recurringBilling trialConversion {{ at amount {{ amount }} }}
  tenant {{ id name domain timeZone language }}
  cancellation {{ {CANCELLATION} }} openCallback {{ {CALLBACK} }} latestCallback {{ {CALLBACK} }}
  cancellationOptions {{ {OPTIONS_FIELDS} }}
"""
SUBSCRIPTION_BY_EXTERNAL_ID = """
query($id: String!, $tenant: String) { subscriptionByExternalId(externalId: $id, tenantExternalId: $tenant) {
  id externalId name plan sharesLicenses partnerName partner { name url email phone } tenant { id externalId } } }"""
TENANT_BY_EXTERNAL_ID = "query($id: String!) { tenantByExternalId(externalId: $id) { id externalId name } }"
USER_BY_EXTERNAL_ID = """
query($id: String!, $tenant: String) { userByExternalId(externalId: $id, tenantExternalId: $tenant) {
  id externalId displayName } }"""
LIST = f"""
query($first: Int! = 20, $after: String, $tenantId: ID, $status: [SubscriptionStatus!], $search: String) {{
  subscriptions(first: $first, after: $after, tenantId: $tenantId, status: $status, search: $search) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    edges {{ cursor node {{ {SUBSCRIPTION} }} }} }} }}"""
ONE = f"query($id: ID!) {{ subscription(id: $id) {{ {SUBSCRIPTION} }} }}"
LICENSES = """
query($id: ID!, $first: Int! = 20, $after: String, $search: String) { subscription(id: $id) {
  licenses(first: $first, after: $after, search: $search) { totalCount pageInfo { hasNextPage endCursor }
    edges { cursor node { id assignedAt sources groupNames removable
      removal { status requestedAt decidedAt reason }
      user { id userPrincipalName displayName lastActiveAt isBlocked } } } } } }"""
VIEWER = """{ viewer { id displayName email phone kind scopes
  tenants { totalCount edges { cursor node { role tenant { id name } } } } } }"""
WEBHOOK = "id url events status failingSince lastProblem lastDeliveredAt waitingEvents createdAt"
WEBHOOKS = f"{{ webhooks {{ {WEBHOOK} }} }}"
CREATE_SESSION = f"""
mutation($input: CreatePortalSessionInput!) {{ createPortalSession(input: $input) {{ {PROBLEM}
  ... on CreatePortalSessionSuccess {{ accessToken url expiresAt }}
}} }}"""
END_SESSIONS = f"""
mutation($input: EndPortalSessionsInput!) {{ endPortalSessions(input: $input) {{ {PROBLEM}
  ... on EndPortalSessionsSuccess {{ ended }}
}} }}"""
EVENTS = """
query($after: String, $first: Int! = 100, $types: [WebhookEventType!], $tenantId: ID) {
  events(after: $after, first: $first, types: $types, tenantId: $tenantId) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id type at version payload } } } }"""
REGISTER_WEBHOOK = f"""
mutation($input: RegisterWebhookInput!) {{ registerWebhook(input: $input) {{ {PROBLEM}
  ... on RegisterWebhookSuccess {{ secret webhook {{ {WEBHOOK} }} }}
}} }}"""
ROTATE_WEBHOOK = f"""
mutation($input: WebhookInput!) {{ rotateWebhookSecret(input: $input) {{ {PROBLEM}
  ... on RotateWebhookSecretSuccess {{ secret webhook {{ {WEBHOOK} }} }}
}} }}"""
TEST_WEBHOOK = f"""
mutation($input: WebhookInput!) {{ testWebhook(input: $input) {{ {PROBLEM}
  ... on TestWebhookSuccess {{ arrived status problem webhook {{ {WEBHOOK} }} }}
}} }}"""
REPLAY_WEBHOOK = f"""
mutation($input: ReplayWebhookInput!) {{ replayWebhook(input: $input) {{ {PROBLEM}
  ... on ReplayWebhookSuccess {{ events webhook {{ {WEBHOOK} }} }}
}} }}"""
REMOVE_WEBHOOK = f"""
mutation($input: WebhookInput!) {{ removeWebhook(input: $input) {{ {PROBLEM}
  ... on RemoveWebhookSuccess {{ webhookId }}
}} }}"""
