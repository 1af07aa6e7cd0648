"""What a signed token of an organization is for, by what it says of itself. Pure.

A server signs several kinds with one key. An ID token tells a client who signed in; whoever has it may not call anybody. An
access token is for calling: it names the client that it was given to and what it may do (RFC 9068 calls that ``client_id``
and ``scope``; servers that are older have names of their own).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLIENT = ("azp", "client_id", "appid", "cid")
_SCOPE = ("scope", "scp")
# Ties an ID token to one sign-in.
_OF_SIGN_IN = ("nonce", "at_hash", "c_hash", "s_hash")
# Keycloak says what a token is in its claims as well: ID, Refresh, Logout, Bearer.
_ACCESS = ("bearer", "at+jwt")


def is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any], sign_in_client: str) -> bool:
    """Whether a token, whose signature, issuer and audience hold, may call the API.

    ``sign_in_client``: who signs people in here, whose tokens without a scope are for that alone.
    """
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    said = claims.get("typ")
    if kind not in ("jwt", "at+jwt") or (said is not None and str(said).lower() not in _ACCESS):
        return False
    if kind == "jwt" and any(name in claims for name in _OF_SIGN_IN):
        return False
    clients = {claims[name] for name in _CLIENT if isinstance(claims.get(name), str) and claims[name]}
    may = any(claims.get(name) for name in _SCOPE)
    return len(clients) == 1 and (may or (kind == "at+jwt" and clients != {sign_in_client}))
