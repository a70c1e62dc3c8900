"""Every route asked by everybody: what each of them gets, written down by hand.

All rights are on one private channel, which is the default channel too. `reader`, `writer` and `maintainer` are users
with one grant on the whole of it; `neighbour` maintains one package of each ecosystem there, and never the one in question. `admin` is an admin's key; `expired` and `revoked` are admins' keys that were; so is
`elsewhere`, whose scope is another channel. What a right request from whoever may gets, stands in the column `admin`.

What lies below `/account/` is for a browser's session, and here everybody comes with a key: 401 is the best they get.

How to read a refusal: 401 nobody we know, 403 somebody who may see the thing and not do this, 404 somebody for whom it
is not there.
"""

from collections import Counter

import pytest
from matrix_support import REQUESTS, Ask, World, world

from uploadd.app import ROUTES
from uploadd.routing import OPEN

PEOPLE = (
    "anonymous",
    "neighbour",
    "reader",
    "writer",
    "maintainer",
    "admin",
    "expired",
    "revoked",
    "elsewhere",
)

TABLE = """
                                                                              anon  nbor  read  writ  main  adm   exp   rev   else

POST /api/v1/upload/{channel}                                                 401   403   403   201   201   201   401   401   404
POST /api/channels/{channel}/upload/{file}                                    401   403   403   201   201   201   401   401   404
PUT /{channel}/{subdir}/{file}                                                401   403   403   201   201   201   401   401   404
PUT /{channel}/products/{product}/{version}/{file}                            401   403   403   201   201   201   401   401   404
POST /{channel}/legacy                                                        401   403   403   200   200   200   401   401   404
POST /{channel}/simple                                                        401   403   403   200   200   200   401   401   404
POST /legacy                                                                  401   403   403   200   200   200   401   401   404
POST /simple                                                                  401   403   403   200   200   200   401   401   404
POST /pypi                                                                    401   403   403   200   200   200   401   401   404
POST /                                                                        401   403   403   200   200   200   401   401   404
POST /api/package/{package}/{file}                                            401   403   403   200   200   200   401   401   404
POST /api/v1/reindex/{channel}/{subdir}                                       401   200   403   200   200   200   401   401   404

DELETE /api/v1/delete/{channel}/{subdir}/{file}                               401   404   403   403   200   200   401   401   404
DELETE /{channel}/{subdir}/{file}                                             401   404   403   403   200   200   401   401   404
DELETE /{channel}/products/{product}/{version}/{file}                         401   404   403   403   200   200   401   401   404
DELETE /{channel}/packages/{project}/{file}                                   401   404   403   403   200   200   401   401   404
DELETE /packages/{project}/{file}                                             401   404   403   403   200   200   401   401   404
DELETE /api/package/{package}/{file}                                          401   404   403   403   200   200   401   401   404
POST /api/1/{channel}/{project}/{version}/yank                                401   403   403   403   200   200   401   401   404
DELETE /api/1/{channel}/{project}/{version}/yank                              401   403   403   403   200   200   401   401   404

GET /{channel}                                                                401   200   200   200   200   200   401   401   404
GET /{channel}/simple                                                         401   200   200   200   200   200   401   401   404
GET /simple                                                                   401   200   200   200   200   200   401   401   404
GET /pypi                                                                     401   200   200   200   200   200   401   401   404
GET /{channel}/products/index.json                                            401   200   200   200   200   200   401   401   404
GET /api/package                                                              401   200   200   200   200   200   401   401   404
GET /api/package/{package}                                                    401   200   200   200   200   200   401   401   404
GET /api/package/{package}/{file}                                             401   404   302   302   302   302   401   401   404
GET /_authz                                                                   401   403   204   204   204   204   401   401   403
GET /                                                                         200   200   200   200   200   200   401   401   200
GET /health                                                                   200   200   200   200   200   200   200   200   200
GET /api/fetch                                                                401   422   422   422   422   422   401   401   422
POST /api/fetch                                                               401   422   422   422   422   422   401   401   422

GET /api/1/channels                                                           200   200   200   200   200   200   401   401   200
POST /api/1/channels                                                          401   403   403   403   403   201   401   401   403
GET /api/1/channels/{channel}                                                 401   200   200   200   200   200   401   401   404
PUT /api/1/channels/{channel}/visibility                                      401   403   403   403   403   200   401   401   403
GET /api/1/channels/{channel}/grants                                          401   200   403   403   200   200   401   401   404
PUT /api/1/channels/{channel}/grants                                          401   403   403   403   403   200   401   401   403
DELETE /api/1/channels/{channel}/grants                                       401   403   403   403   403   200   401   401   403
GET /api/1/audit                                                              401   403   403   403   403   200   401   401   403

GET /api/1                                                                    200   200   200   200   200   200   200   200   200
GET /api/1/openapi.json                                                       200   200   200   200   200   200   200   200   200
GET /api/1/packages                                                           200   200   200   200   200   200   401   401   200
GET /api/1/stat/counters                                                      200   200   200   200   200   200   401   401   200
GET /api/1/search                                                             200   200   200   200   200   200   401   401   200
GET /search                                                                   200   200   200   200   200   200   401   401   200
GET /api/1/content/{digest}                                                   404   404   200   200   200   200   401   401   404
GET /api/1/channels/{channel}/packages                                        401   200   200   200   200   200   401   401   404
GET /api/1/channels/{channel}/packages/{ecosystem}/{name}                     401   404   200   200   200   200   401   401   404
GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/versions            401   404   200   200   200   200   401   401   404
GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/versions/{version}  401   404   200   200   200   200   401   401   404
GET /api/1/channels/{channel}/files                                           401   200   200   200   200   200   401   401   404
GET /api/1/channels/{channel}/events                                          401   200   200   200   200   200   401   401   404

GET /product/access                                                           401   200   200   200   200   200   401   401   200
PUT /product/create                                                           401   403   403   201   201   201   401   401   403
GET /product/fetch/{product}                                                  401   404   200   200   200   200   401   401   404
DELETE /product/delete/{product}                                              401   404   403   403   204   204   401   401   404
PUT /product/modify/{action}                                                  401   404   403   403   201   201   401   401   404
DELETE /product/modify/{action}                                               401   404   403   403   200   200   401   401   404
POST /product/upload                                                          401   404   403   201   201   201   401   401   403
GET /product/download/{product}/{version}                                     401   404   200   200   200   200   401   401   404
DELETE /product/delete/{product}/{version}                                    401   404   403   403   204   204   401   401   404
PUT /register                                                                 401   403   403   403   403   201   401   401   403
GET /fetch/{token}                                                            401   200   200   200   200   200   401   401   200
DELETE /prune/{token}                                                         401   403   403   403   403   204   401   401   403

POST /api/graphql                                                             200   200   200   200   200   200   401   401   200
POST /graphql                                                                 200   200   200   200   200   200   401   401   200
GET /api/graphql                                                              200   200   200   200   200   200   401   401   200
GET /graphql                                                                  200   200   200   200   200   200   401   401   200
GET /config.json                                                              200   200   200   200   200   200   401   401   200
POST /anaconda/stage/{channel}/{name}/{version}/{subdir}/{file}               401   403   403   200   200   200   401   401   404
POST /anaconda/blob                                                           201   201   201   201   201   201   401   401   201
POST /anaconda/commit/{channel}/{name}/{version}/{subdir}/{file}              401   404   403   200   200   200   401   401   404
DELETE /anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}              401   404   403   403   200   200   401   401   404
GET /anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}                 401   404   200   200   200   200   401   401   404
GET /anaconda                                                                 200   200   200   200   200   200   401   401   200
GET /anaconda/user                                                            401   200   200   200   200   200   401   401   200
GET /anaconda/user/{channel}                                                  401   200   200   200   200   200   401   401   404
GET /anaconda/package/{channel}/{name}                                        401   404   200   200   200   200   401   401   404
POST /anaconda/package/{channel}/{name}                                       401   403   403   200   200   200   401   401   404
PATCH /anaconda/package/{channel}/{name}                                      401   403   403   200   200   200   401   401   404
GET /anaconda/release/{channel}/{name}/{version}                              401   404   200   200   200   200   401   401   404
POST /anaconda/release/{channel}/{name}/{version}                             401   403   403   200   200   200   401   401   404
PATCH /anaconda/release/{channel}/{name}/{version}                            401   403   403   200   200   200   401   401   404

GET /api/1/whoami                                                             401   200   200   200   200   200   401   401   200
GET /api/1/keys                                                               401   200   200   200   200   200   401   401   200
POST /api/1/keys                                                              401   201   201   201   201   201   401   401   201
DELETE /api/1/keys/{id}                                                       401   200   200   200   200   200   401   401   200
POST /api/1/keys/revoke                                                       200   200   200   200   200   200   401   401   200
PUT /api/user/{user}                                                          200   200   200   200   200   200   401   401   200
POST /api/user/password                                                       401   200   200   200   200   200   401   401   200
PUT /acct/tokenRegister                                                       200   200   200   200   200   200   401   401   200
POST /acct/login                                                              200   200   200   200   200   200   403   403   200
PUT /acct/login                                                               200   200   200   200   200   200   403   403   200

GET /admin/user                                                               401   403   403   403   403   200   401   401   403
GET /admin/pending_users                                                      401   403   403   403   403   200   401   401   403
GET /admin/user/{user}                                                        401   403   403   403   403   200   401   401   403
PUT /admin/user/{user}                                                        401   403   403   403   403   200   401   401   403
DELETE /admin/user/{user}                                                     401   403   403   403   403   200   401   401   403
POST /admin/user/{user}/approve                                               401   403   403   403   403   200   401   401   403
POST /admin/user/{user}/admin                                                 401   403   403   403   403   200   401   401   403
GET /admin/user/{user}/permissions                                            401   403   403   403   403   200   401   401   403
GET /admin/token/{user}                                                       401   403   403   403   403   200   401   401   403
POST /admin/register                                                          401   403   403   403   403   200   401   401   403
GET /admin/group                                                              401   403   403   403   403   200   401   401   403
GET /admin/group/{group}                                                      401   403   403   403   403   200   401   401   403
PUT /admin/group/{group}                                                      401   403   403   403   403   200   401   401   403
DELETE /admin/group/{group}                                                   401   403   403   403   403   200   401   401   403
PUT /admin/user/{user}/group/{group}                                          401   403   403   403   403   200   401   401   403
DELETE /admin/user/{user}/group/{group}                                       401   403   403   403   403   200   401   401   403
GET /admin/rebuild                                                            401   403   403   403   403   200   401   401   403
GET /admin/acl.json.gz                                                        401   403   403   403   403   200   401   401   403
GET /admin/package/{package}                                                  401   403   403   403   403   200   401   401   403
PUT /admin/package/{package}/{kind}/{name}/{permission}                       401   403   403   403   403   200   401   401   403
DELETE /admin/package/{package}/{kind}/{name}/{permission}                    401   403   403   403   403   200   401   401   403

GET /account                                                                  303   303   303   303   303   303   401   401   303
POST /account/keys                                                            401   401   401   401   401   401   401   401   401
POST /account/keys/{id}/revoke                                                401   401   401   401   401   401   401   401   401
POST /account/sessions/{id}/revoke                                            401   401   401   401   401   401   401   401   401
POST /account/password                                                        401   401   401   401   401   401   401   401   401
GET /account/packages                                                         401   401   401   401   401   401   401   401   401
GET /account/upload/{channel}                                                 200   200   200   200   200   200   401   401   200
GET /account/admin/users                                                      401   403   403   403   403   401   401   401   403
GET /account/admin/users/{user}                                               401   403   403   403   403   401   401   401   403
POST /account/admin/users/invite                                              401   403   403   403   403   401   401   401   403
POST /account/admin/users/registration                                        401   403   403   403   403   401   401   401   403
POST /account/admin/users/{user}/approve                                      401   403   403   403   403   401   401   401   403
POST /account/admin/users/{user}/admin                                        401   403   403   403   403   401   401   401   403
POST /account/admin/users/{user}/delete                                       401   403   403   403   403   401   401   401   403
GET /account/admin/groups                                                     401   403   403   403   403   401   401   401   403
GET /account/admin/groups/{group}                                             401   403   403   403   403   401   401   401   403
POST /account/admin/groups/create                                             401   403   403   403   403   401   401   401   403
POST /account/admin/groups/add                                                401   403   403   403   403   401   401   401   403
POST /account/admin/groups/{group}/add                                        401   403   403   403   403   401   401   401   403
POST /account/admin/groups/{group}/remove                                     401   403   403   403   403   401   401   401   403
POST /account/admin/groups/{group}/delete                                     401   403   403   403   403   401   401   401   403
GET /account/admin/rights                                                     401   403   403   403   403   401   401   401   403
GET /account/admin/rights/{channel}                                           401   403   403   403   403   401   401   401   403
GET /account/admin/rights/{channel}/{ecosystem}/{package}                     401   403   403   403   403   401   401   401   403
POST /account/admin/rights/{channel}/give                                     401   403   403   403   403   401   401   401   403
POST /account/admin/rights/{channel}/take                                     401   403   403   403   403   401   401   401   403
POST /account/admin/rights/{channel}/close                                    401   403   403   403   403   401   401   401   403
GET /account/admin/channels                                                   401   403   403   403   403   401   401   401   403
POST /account/admin/channels                                                  401   403   403   403   403   401   401   401   403
GET /account/admin/channels/{channel}/visibility                              401   403   403   403   403   401   401   401   403
POST /account/admin/channels/{channel}/visibility                             401   403   403   403   403   401   401   401   403
GET /account/admin/channels/{channel}/delete                                  401   403   403   403   403   401   401   401   403
POST /account/admin/channels/{channel}/delete                                 401   403   403   403   403   401   401   401   403
GET /account/admin/audit                                                      401   403   403   403   403   401   401   401   403
GET /account/admin/indexer                                                    401   403   403   403   403   401   401   401   403
POST /account/admin/indexer/reindex                                           401   403   403   403   403   401   401   401   403
GET /account/sign-in                                                          200   200   200   200   200   200   401   401   200
POST /account/sign-in                                                         303   303   303   303   303   303   401   401   303
POST /account/sign-out                                                        303   303   303   303   303   303   401   401   303
GET /account/register                                                         200   200   200   200   200   200   401   401   200
POST /account/register                                                        200   200   200   200   200   200   401   401   200
GET /account/invitation                                                       200   200   200   200   200   200   401   401   200
POST /account/invitation                                                      303   303   303   303   303   303   401   401   303
"""


OPEN_TO_ALL = {"GET /health", "GET /api/1", "GET /api/1/openapi.json"}
"""What tells nothing of anybody's: whatever is shown there is not looked at."""


def table() -> dict[str, dict[str, int]]:
    """`METHOD pattern` to the status of each."""
    rows = {}
    for line in filter(None, TABLE.splitlines()[2:]):
        method, pattern, *statuses = line.split()
        assert f"{method} {pattern}" not in rows, "a route stands in the table once"
        assert len(statuses) == len(PEOPLE), line
        rows[f"{method} {pattern}"] = dict(zip(PEOPLE, map(int, statuses), strict=True))
    return rows


EXPECTED = table()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with world(tmp_path_factory.mktemp("matrix") / "data") as running:
        yield running


@pytest.mark.parametrize("route", EXPECTED)
def test_who_gets_what(server: World, route):
    method, pattern = route.split()

    answers = {who: server.ask(method, pattern, who, REQUESTS[route](server, who)) for who in PEOPLE}

    found = {who: answer.status for who, answer in answers.items()}
    bodies = {who: answers[who].body[:300] for who in PEOPLE if found[who] != EXPECTED[route][who]}
    assert found == EXPECTED[route], bodies


def test_every_route_is_in_the_table_and_every_row_is_a_route():
    routes = Counter(f"{route.method} {route.pattern}" for route in ROUTES)

    assert set(routes) - set(EXPECTED) == set(), "a new route: write down who gets what"
    assert set(EXPECTED) - set(routes) == set()
    assert set(REQUESTS) == set(EXPECTED)
    assert max(routes.values()) == 1


def test_a_route_that_looks_nobody_up_changes_nothing():
    """Nor is it asked with a browser's session whether a page of ours sent it."""
    assert {(route.method, route.pattern) for route in ROUTES if route.action is OPEN} == {
        ("GET", "/health"),
        ("GET", "/_authz"),
        ("GET", "/api/1"),
        ("GET", "/api/1/openapi.json"),
    }


def test_what_does_not_exist_looks_like_what_is_hidden(server: World):
    """The routes with a channel, asked about one that is not there: byte for byte what a stranger to `closed` gets."""
    for route in EXPECTED:
        method, pattern = route.split()
        if "{channel}" not in pattern:
            continue
        for who in ("anonymous", "elsewhere"):
            ask = REQUESTS[route](server, who)
            hidden = server.ask(method, pattern, who, ask)
            other = Ask({**ask.path, "channel": "closet"}, ask.data, ask.headers, ask.query)
            if not isinstance(ask.data, (bytes, type(None))):
                other = Ask(
                    {**REQUESTS[route](server, who).path, "channel": "closet"}, b"", ask.headers, ask.query
                )
            missing = server.ask(method, pattern, who, other)
            assert missing.status == hidden.status, (route, who)
            assert missing.body.replace(b"closet", b"closed") == hidden.body, (route, who)


def test_the_columns_say_what_their_names_say():
    """The table against itself: a slip of the pen in it would be a right that nobody gave."""
    for route, row in EXPECTED.items():
        dead = {row["expired"], row["revoked"]}
        assert len(dead) == 1, route
        if route not in OPEN_TO_ALL:
            assert dead <= {401, 403}, f"{route}: a dead key is refused, never passed over"
        if row["anonymous"] < 400:
            assert all(row[who] == row["anonymous"] for who in PEOPLE[1:6]), route
        assert row["neighbour"] >= 400 or row["neighbour"] == row["admin"], route
        for less, more in (("reader", "writer"), ("writer", "maintainer"), ("maintainer", "admin")):
            assert row[less] >= 400 or row[more] == row[less], f"{route}: {more} may what {less} may"
        if " /admin/" in route:  # the pages below /account/ take no key at all
            assert [row[who] for who in PEOPLE] == [
                *(401, 403, 403, 403, 403),
                *(200, 401, 401, 403),
            ], route
