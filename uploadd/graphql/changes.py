"""What mutations do: API keys, in our words and in those of Quilt's client. Everything here blocks.

The rules are those of `uploadd/keymaking.py`, as for every other API. Ours answer a refusal as an error of the request;
Quilt's answer what its caller can correct as `InvalidInput`.
"""

from collections.abc import Callable, Mapping
from functools import partial

from packhouse.catalog.keys import DEFAULT_DAYS, Key
from packhouse.errors import Malformed, NotFound, PackhouseError, Unprocessable
from packhouse.model import Json
from uploadd import auditing, keymaking
from uploadd.call import Call
from uploadd.door import need_account
from uploadd.graphql.keyviews import key_view
from uploadd.identity import QUILT
from uploadd.target import without_keys

CREATE, REVOKE = "key create", "key revoke"
"""What the audit log calls them."""

Node = Mapping[str, Json]


def mutation(call: Call) -> Node:
    """Return the root of mutations."""
    return {
        "create_api_key": partial(_noted, call, CREATE, _create),
        "revoke_api_key": partial(_noted, call, REVOKE, _revoke),
        "revoke_api_key_secret": partial(_noted, call, REVOKE, _give_up),
        "api_key_create": partial(_noted, call, CREATE, _quilt_create),
        "api_key_revoke": partial(_noted, call, REVOKE, _quilt_revoke),
    }


def _noted(call: Call, verb: str, change: Callable[..., Node], **arguments: Json) -> Node:
    """Make a change; the audit log tells of it, whatever comes of it."""
    auditing.tell(call, action=verb)
    try:
        return change(call, **arguments)
    except Exception as refused:
        auditing.tell(call, outcome=refused.code if isinstance(refused, PackhouseError) else "internal")
        raise


def _create(call: Call, input: Node) -> Node:  # noqa: A002 - the schema's word
    need_account(call.principal)
    made = keymaking.make(call, _wish(input))
    return {"key": _view(call, made.key), "secret": made.secret, "notes": list(made.notes)}


def _revoke(call: Call, id: str) -> Node:  # noqa: A002 - the schema's word
    need_account(call.principal)
    return _view(call, keymaking.revoke(call, id))


def _give_up(call: Call, secret: str) -> Node:
    return _view(call, keymaking.give_up(call, secret))


# --- Quilt ---------------------------------------------------------------------------------------------------------


def _quilt_create(call: Call, input: Node) -> Node:  # noqa: A002 - the schema's word
    need_account(call.principal)
    try:
        made = keymaking.make(call, _wish(input))
    except (Malformed, Unprocessable) as refused:
        return _invalid(call, refused, "input")
    return {
        "__typename": "APIKeyCreated",
        "api_key": _view(call, made.key),
        # Its `login_with_api_key` takes no other beginning; the daemon takes both.
        "secret": QUILT + made.secret,
    }


def _quilt_revoke(call: Call, id: str | None = None, secret: str | None = None) -> Node:  # noqa: A002 - the schema's
    if (id is None) == (secret is None):
        return _invalid(call, Malformed("send the id or the secret of the key, one of the two"), None)
    try:
        if secret is not None:
            _give_up(call, secret.removeprefix(QUILT))
        else:
            _revoke(call, str(id))
    except NotFound as refused:
        return _invalid(call, refused, "id" if secret is None else "secret")
    return {"__typename": "Ok", "_": True}


def _invalid(call: Call, refused: PackhouseError, path: str | None) -> Node:
    auditing.tell(call, outcome=refused.code)
    error = {"path": path, "message": without_keys(str(refused)), "name": refused.code, "context": None}
    return {"__typename": "InvalidInput", "errors": [error]}


def _wish(said: Node) -> keymaking.Wish:
    return keymaking.Wish(
        name=said["name"],
        days=said.get("expiresInDays", DEFAULT_DAYS),
        channels=said.get("channels"),
        actions=said.get("actions"),
    )


def _view(call: Call, key: Key) -> Node:
    return key_view(key, call.services.house.catalog.clock())
