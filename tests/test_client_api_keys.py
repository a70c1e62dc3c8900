"""`packhouse.api_keys`: a person's keys on the server, listed, made and revoked."""

import pytest
from client_support import KEY, OTHER, fresh_client, site

import packhouse


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


def key_record(number, **more):
    return {
        "id": number, "account": "ann", "name": f"k{number}", "fingerprint": f"{number:012x}",
        "created": "2026-01-01T00:00:00.000000Z", "expires": "2026-04-01T00:00:00.000000Z", "last_used": None,
        "status": "active", "scope": None, **more,
    }  # fmt: skip


def test_keys_are_listed_filtered_and_found():
    rows = [
        key_record(1, last_used="2026-01-02T00:00:00.000000Z"),
        key_record(2, status="expired"),
        key_record(3, status="revoked"),
        key_record(4, expires=None),
    ]
    packhouse.login_with_api_key(KEY)
    with site({"/api/1/keys/": rows}) as there:
        packhouse.config(registry=f"{there.url}/main")
        first, second, fourth = packhouse.api_keys.list()
        assert (first.id, first.status, first.user_email, first.login) == ("1", "ACTIVE", "ann", "ann")
        assert first.last_used_at.isoformat() == "2026-01-02T00:00:00+00:00"
        assert (second.status, second.last_used_at, fourth.expires_at) == ("EXPIRED", None, None)
        assert packhouse.api_keys.list(name="k2") == packhouse.api_keys.list(status="EXPIRED") == [second]
        assert (
            packhouse.api_keys.list(fingerprint="000000000004") == [packhouse.api_keys.get("4")] == [fourth]
        )
        assert packhouse.api_keys.get("3") is None
        with pytest.raises(ValueError, match="status is 'LOST'"):
            packhouse.api_keys.list(status="LOST")


def test_a_key_is_made_once_and_what_the_server_says_is_passed_on():
    packhouse.login_with_api_key(KEY)
    with site({"/api/1/keys/": (201, {"key": key_record(5), "secret": OTHER, "notes": []})}) as there:
        packhouse.config(registry=f"{there.url}/main")
        key, secret = packhouse.api_keys.create("k5", 30)
        assert (key.name, secret) == ("k5", OTHER)
        assert there.asked[-1][3] == b'{"name": "k5", "expires_in_days": 30}'
        there.answers["/api/1/keys/"] = (
            422,
            {"detail": "a key named k5 is active already", "code": "unprocessable"},
        )
        with pytest.raises(packhouse.APIKeyError, match="active already") as caught:
            packhouse.api_keys.create("k5")
        assert caught.value.status == 422
        there.answers["/api/1/keys/"] = (401, {"detail": "expired"})
        with pytest.raises(packhouse.KeyRefused):
            packhouse.api_keys.create("k5")
        there.answers["/api/1/keys/"] = (201, {})
        with pytest.raises(packhouse.ServerRefused, match="not answer as a Packhouse"):
            packhouse.api_keys.create("k5")
        for days in (0, 366):
            with pytest.raises(packhouse.Malformed, match="choose 1 to 365"):
                packhouse.api_keys.create("k5", days)


def test_a_key_is_revoked_by_its_number_or_its_secret():
    with site({"/api/1/keys/7/": {"revoked": True}, "/api/1/keys/revoke/": {"revoked": True}}) as there:
        packhouse.config(registry=f"{there.url}/main")
        packhouse.api_keys.revoke(secret=OTHER)  # holding it is enough
        packhouse.login_with_api_key(KEY)
        packhouse.api_keys.revoke("7")
        assert there.paths() == ["POST /api/1/keys/revoke/", "DELETE /api/1/keys/7/"]
        assert there.keys() == ["", KEY]
        for wrong in ({}, {"id": "7", "secret": OTHER}, {"secret": "qk_x"}):
            with pytest.raises(ValueError):
                packhouse.api_keys.revoke(**wrong)
        with pytest.raises(packhouse.APIKeyError):
            packhouse.api_keys.revoke("8")
        # A secret that was given for the id is neither sent in a path nor shown.
        with pytest.raises(packhouse.APIKeyError, match="an id is a number") as caught:
            packhouse.api_keys.revoke(OTHER)
        assert OTHER not in str(caught.value)
        assert there.paths()[2:] == ["DELETE /api/1/keys/8/"]
