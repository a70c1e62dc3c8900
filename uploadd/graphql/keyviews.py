"""What is told of API keys, in our words and in those of Quilt's client. Everything here blocks."""

from collections.abc import Collection, Mapping
from functools import partial

from packhouse.catalog.keys import Key
from packhouse.model import Action, Json
from uploadd import keymaking
from uploadd.answers import when
from uploadd.call import Call

_NEVER = "9999-12-31T23:59:59.999999Z"
_MOST = 1000


def key_view(key: Key, now_us: int) -> Mapping[str, Json]:
    """Return the fields of an `APIKey`; never its secret."""
    return {
        "id": str(key.id),
        "name": key.name,
        "fingerprint": key.fingerprint,
        "account": key.account,
        "created_at": when(key.created_us),
        "expires": None if key.expires_us is None else when(key.expires_us),
        "expires_at": _NEVER if key.expires_us is None else when(key.expires_us),
        "last_used_at": None if key.last_used_us is None else when(key.last_used_us),
        "status": key.status(now_us).upper(),
        "scope": scope_view(key.channels, key.actions),
        "user_email": key.account,
    }


def scope_view(
    channels: Collection[str] | None, actions: Collection[str] | None
) -> Mapping[str, Json] | None:
    """Return the fields of a `Scope`, or None where nothing is limited."""
    if channels is None and actions is None:
        return None
    return {
        "channels": None if channels is None else sorted(channels),
        "actions": None if actions is None else [str(action) for action in Action if action in actions],
    }


def my_keys(call: Call) -> Mapping[str, Json]:
    """Return the fields of `Me`: the caller's keys that are not revoked, which Quilt's client does not know."""
    return {
        "name": call.principal.name,
        "api_keys": partial(_listed, call),
        "api_key": partial(_one, call),
    }


def _listed(
    call: Call, name: str | None = None, fingerprint: str | None = None, status: str | None = None
) -> list[Mapping[str, Json]]:
    asked = {"name": name, "fingerprint": fingerprint, "status": status}
    wanted = {field: text for field, text in asked.items() if text is not None}
    return [view for view in _standing(call) if wanted.items() <= view.items()][:_MOST]


def _one(call: Call, id: str) -> Mapping[str, Json] | None:  # noqa: A002 - the schema's word
    return next((view for view in _standing(call) if view["id"] == id), None)


def _standing(call: Call) -> list[Mapping[str, Json]]:
    now = call.services.house.catalog.clock()
    mine = keymaking.visible(call, call.principal.name)
    return [key_view(key, now) for key in mine if key.revoked_us is None]
