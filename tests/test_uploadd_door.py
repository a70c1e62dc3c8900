"""The door: who may go on, and that what is missing looks like what is hidden."""

from types import SimpleNamespace

import pytest
from multidict import CIMultiDict

from packhouse.catalog import Catalog
from packhouse.catalog.sessions import Session
from packhouse.errors import BadName, CrossSite, Forbidden, NotFound, PackhouseError, Unauthenticated
from packhouse.model import ANONYMOUS, Action, Claim, Ecosystem, Grant, Principal
from packhouse.names import ChannelName, Filename
from packhouse.rights import Rights
from packhouse.settings import Settings
from uploadd import door
from uploadd.call import Call
from uploadd.identity import NONE

READ, WRITE, DELETE, MAINTAIN = Action.READ, Action.WRITE, Action.DELETE, Action.MAINTAIN
ALL = frozenset({"everyone", "authenticated"})


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """What the door asks: the catalog and the rights; and an intake that only says what reached it."""
    catalog = Catalog(tmp_path_factory.mktemp("door") / "catalog.sqlite")
    catalog.channels.create(ChannelName("main"), born=[])
    catalog.channels.create(ChannelName("secret"), born=[], private=True, place="private")
    catalog.channels.create(ChannelName("vault"), born=[], private=True, place="private")
    for name in ("ann", "dev", "ci"):
        catalog.accounts.create(name)
    for principal, action, channel, ecosystem, package in (
        ("user:dev", MAINTAIN, "main", "pypi", "six"),
        ("user:dev", READ, "secret", None, None),
        ("user:dev", WRITE, "vault", "pypi", "six"),
        ("user:ci", WRITE, "main", None, None),
        ("user:ci", WRITE, "secret", None, None),
    ):
        catalog.grants.give(
            Grant(principal=principal, action=action, channel=channel, ecosystem=ecosystem, package=package)
        )
    knocked = []
    settings = Settings(data=tmp_path_factory.getbasetemp())
    yield SimpleNamespace(
        house=SimpleNamespace(catalog=catalog, settings=settings),
        rights=Rights(catalog, settings),
        intake=SimpleNamespace(door=knocked.append, knocked=knocked),
    )
    catalog.close()


def person(name="ann", *, admin=False, **scope) -> Principal:
    return Principal(name=name, kind="user", admin=admin, groups=ALL, **scope)


PEOPLE = {
    "stranger": ANONYMOUS,
    "ann": person(),  # an account without a grant
    "dev": person("dev"),  # maintains one project of main, reads secret, writes one project of vault
    "ci": person("ci"),  # writes main and secret
    "admin": person("root", admin=True),
    "elsewhere": person("root", admin=True, channels=frozenset({"other"})),
    "readonly": person("ci", actions=frozenset({READ})),
}

TABLE = """
who        | main                 | secret               | vault                | missing

stranger   | ok   401  401  401   | 401  401  401  401   | 401  401  401  401   | 401  401  401  401
ann        | ok   403  403  403   | 404  404  404  404   | 404  404  404  404   | 404  404  404  404
dev        | ok   ok   ok   ok    | ok   403  403  403   | ok   ok   403  403   | 404  404  404  404
ci         | ok   ok   403  403   | ok   ok   403  403   | 404  404  404  404   | 404  404  404  404
admin      | ok   ok   ok   ok    | ok   ok   ok   ok    | ok   ok   ok   ok    | 404  404  404  404
elsewhere  | 404  404  404  404   | 404  404  404  404   | 404  404  404  404   | 404  404  404  404
readonly   | ok   403  403  403   | ok   403  403  403   | 404  404  404  404   | 404  404  404  404
"""
"""Read, write, delete and maintain, in each channel."""
STATUS = {Unauthenticated: "401", Forbidden: "403", NotFound: "404"}
ROWS = [[cell.split() for cell in line.split("|")] for line in TABLE.strip().splitlines()[2:]]


def outcome(services, who, action, channel):
    """`ok` or the status, and the sentence."""
    try:
        found = door.enter(services, who, action, channel)
    except PackhouseError as error:
        return STATUS[type(error)], str(error)
    assert found.name == channel
    return "ok", ""


@pytest.mark.parametrize("row", ROWS, ids=[row[0][0] for row in ROWS])
def test_who_goes_through(services, row):
    (who,), *expected = row

    assert [
        [outcome(services, PEOPLE[who], action, channel)[0] for action in Action]
        for channel in ("main", "secret", "vault", "missing")
    ] == expected


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("action", Action)
def test_missing_and_hidden_look_the_same(services, who, action):
    missing = outcome(services, PEOPLE[who], action, "missing")
    for channel in ("secret", "vault"):
        status, sentence = outcome(services, PEOPLE[who], action, channel)
        if status in ("401", "404"):
            assert (status, sentence.replace(channel, "missing")) == missing


@pytest.mark.parametrize("text", ["", "Main", "main/", "../main", "main\0", "mäin", "simple", "a" * 129, "."])
def test_a_channel_has_one_spelling(services, text):
    """Upper case would be another channel on one disk and the same on another."""
    for who in ("ann", "admin"):
        for action in Action:
            with pytest.raises(BadName):
                door.enter(services, PEOPLE[who], action, text)
    with pytest.raises(BadName):
        door.enter(services, ANONYMOUS, READ, text)
    with pytest.raises(Unauthenticated) as refused:
        door.enter(services, ANONYMOUS, WRITE, text)
    assert len(str(refused.value)) < 300


def test_a_private_channel_is_entered_by_a_right_on_a_package_and_seen_from_then_on(services):
    dev = PEOPLE["dev"]

    assert door.enter(services, dev, WRITE, "vault").name == "vault"
    assert not services.rights.permits(dev, READ, services.house.catalog.channels.get("vault"))


# --- accounts and admins -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "account", "admin"),
    [
        (ANONYMOUS, Unauthenticated, Unauthenticated),
        (person(), None, Forbidden),
        (person("root", admin=True), None, None),
        (person("root", admin=True, channels=frozenset({"main"})), None, Forbidden),
        (person("root", admin=True, actions=frozenset(Action)), None, Forbidden),
        (person("root", admin=True, channels=frozenset()), None, Forbidden),
        (Principal(name="eve", admin=True), Unauthenticated, Unauthenticated),
    ],
)
def test_who_has_an_account_and_who_administers(who, account, admin):
    for need, refusal in ((door.need_account, account), (door.need_admin, admin)):
        if refusal is None:
            need(who)
        else:
            with pytest.raises(refusal):
                need(who)


# --- browsers ----------------------------------------------------------------------------------------------------

SESSION = Session(
    id="0" * 12, account="ann", csrf="the-token", created_us=0, used_us=0, expires_us=9, origin="", agent=""
)


def call_of(services, *, session=None, via="", **headers) -> Call:
    """A request as far as the door looks at it."""
    return Call(
        request=SimpleNamespace(headers=CIMultiDict({k.replace("_", "-"): v for k, v in headers.items()})),
        services=services,
        path={},
        query={},
        shown=NONE,
        principal=Principal(name="ann", kind="user", groups=ALL, via=via),
        channel=services.house.catalog.channels.get("main"),
        session=session,
    )


def browser(services, **headers) -> Call:
    return call_of(services, session=SESSION, via="session", **headers)


def test_a_page_of_ours_sends_the_token(services):
    door.same_site(browser(services, X_Packhouse_Token="the-token"), token=True)
    for site in ("same-origin", "none"):
        door.same_site(browser(services, X_Packhouse_Token="the-token", Sec_Fetch_Site=site), token=True)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "Same-Origin", "none, none"])
def test_a_foreign_page_is_refused_whatever_it_sends(services, site):
    """`same-site` too: another host of the domain is not this server."""
    for token in (True, False):
        with pytest.raises(CrossSite, match="nothing was done"):
            door.same_site(browser(services, X_Packhouse_Token="the-token", Sec_Fetch_Site=site), token=token)


@pytest.mark.parametrize(
    "token",
    [None, "", "the-toke", "the-token ", "THE-TOKEN", "tökén", "\udcff\udcfe", "the-token\ud800", "x" * 9000],
)
def test_a_missing_or_wrong_token_is_refused(services, token):
    """Also one that is no text: header bytes come as lone surrogates, and must not end in a 500."""
    headers = {} if token is None else {"X_Packhouse_Token": token}
    with pytest.raises(CrossSite):
        door.same_site(browser(services, **headers), token=True)
    with pytest.raises(CrossSite):
        browser(services).check_token(token or "")


def test_a_form_brings_its_token_in_the_body(services):
    """So the door looks at where it comes from only, and the handler at the token."""
    door.same_site(browser(services), token=False)
    browser(services).check_token("the-token")


def test_a_key_needs_no_token(services):
    for via in ("key:0123456789ab", "password", ""):
        door.same_site(call_of(services, via=via), token=True)


def test_a_session_that_ended_between_two_looks_needs_its_token_all_the_same(services):
    """Who asks was read from it a moment ago; without a token to compare, nothing is done."""
    for token in ("", "the-token"):
        with pytest.raises(CrossSite):
            call_of(services, via="session").check_token(token)


# --- uploads -----------------------------------------------------------------------------------------------------


def claim(filename, ecosystem=Ecosystem.PYPI, directory=None, *, force=False) -> Claim:
    return Claim(
        channel=ChannelName("main"),
        ecosystem=ecosystem,
        filename=Filename(filename),
        directory=directory,
        force=force,
    )


SIX = "six-1.0-py3-none-any.whl"


@pytest.fixture
def admitted(services):
    """Whether somebody's upload reaches the intake's own checks."""

    def admit(who, claimed) -> bool:
        services.intake.knocked.clear()
        call = Call(
            request=SimpleNamespace(),
            services=services,
            path={},
            query={},
            shown=NONE,
            principal=who,
            channel=services.house.catalog.channels.get("main"),
        )
        try:
            door.admit(call, claimed)
        except Forbidden:
            assert services.intake.knocked == [], "rights come first: nothing was looked up"
            return False
        assert services.intake.knocked == [claimed]
        return True

    return admit


@pytest.mark.parametrize("spelling", [SIX, "SIX-1.0-py3-none-any.whl", "six-1.0.tar.gz", "Six-1.0.tar.gz"])
def test_an_upload_is_decided_by_the_package_its_name_means(admitted, spelling):
    assert admitted(PEOPLE["dev"], claim(spelling))
    assert admitted(PEOPLE["ci"], claim(spelling))
    assert not admitted(PEOPLE["ann"], claim(spelling))
    assert not admitted(PEOPLE["readonly"], claim(spelling))


def test_a_right_on_one_package_is_none_on_another(admitted):
    for other in (
        claim("sixty-1.0-py3-none-any.whl"),
        claim("six-1.0-0.conda", Ecosystem.CONDA, "noarch"),
        claim("six.bin", Ecosystem.GENERIC, "products/six/1.0"),
    ):
        assert not admitted(PEOPLE["dev"], other)
        assert admitted(PEOPLE["ci"], other)
        assert admitted(PEOPLE["admin"], other)


def test_overwriting_needs_maintain(admitted):
    assert admitted(PEOPLE["dev"], claim(SIX, force=True))
    assert not admitted(PEOPLE["ci"], claim(SIX, force=True))
    assert admitted(PEOPLE["admin"], claim(SIX, force=True))


def test_a_name_that_says_no_place_is_decided_when_the_bytes_are_read(admitted):
    """A conda file without its subdir: what it is, the shelf asks (`Intake.receive`)."""
    assert admitted(PEOPLE["dev"], claim("six-1.0-0.conda", Ecosystem.CONDA))
