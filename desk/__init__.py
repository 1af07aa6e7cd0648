"""The callback desk: "let us call you", from the request to what came of the call. Above subscriptions, which know no call."""
