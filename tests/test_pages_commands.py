"""Commands to copy, how tools are given a key, and which addresses may be links."""

import pytest
from people_support import CHANNEL, NO_LINKS, PRIVATE, RELATIVE, SETTINGS

from packhouse.pages import commands
from packhouse.pages.plain import address, may_link, printable, segment

TOOLS = ("pip", "uv", "poetry", "conda", "mamba", "pixi", "rattler-build", "curl")


def told(readers="channel", channel=PRIVATE, settings=SETTINGS, tools=TOOLS):
    found = commands.hints(tools, readers=readers, channel=channel, settings=settings)
    return {hint.tools: "<server>".join(hint.parts) for hint in found}


def test_commands_are_split_and_never_formatted():
    (snippet,) = commands.snippets({"pip": "pip install {demo} {0} --index-url {channel}/simple/ {channel}"})

    assert snippet.tool == "pip"
    assert snippet.parts == ["pip install {demo} {0} --index-url ", "/simple/ ", ""]


def test_every_tool_is_told_where_its_key_goes():
    assert told() == {
        "pip, uv, poetry and curl": "machine packages.example login __token__ password YOUR-KEY",
        "pip and uv": "packhouse login --keyring --server <server>",
        "pixi": "pixi auth login --token YOUR-KEY <server>",
        "rattler-build": "rattler-build auth login --token YOUR-KEY <server>",
        "conda and mamba": "<server>/t/YOUR-KEY/team",
    }


def test_a_restricted_project_gives_pips_keyring_no_cue():
    """It answers a stranger 404, and pip asks its keyring after a 401 only."""
    assert told("granted", CHANNEL, tools=("pip", "uv"))["uv"].startswith("packhouse login")
    assert list(told("granted", CHANNEL, tools=("pip",))) == ["pip"]


def test_only_the_tools_of_the_page_are_named():
    assert list(told(tools=("curl",))) == ["curl"]
    assert told(tools=()) == {}


def test_curl_looks_into_netrc_only_if_told():
    (hint,) = commands.hints(("curl",), readers="granted", channel=CHANNEL, settings=SETTINGS)
    (other,) = commands.hints(("poetry",), readers="granted", channel=CHANNEL, settings=SETTINGS)

    assert "--netrc" in hint.text
    assert "--netrc" not in other.text


def test_without_a_base_url_the_host_is_a_word_to_replace():
    assert told(settings=RELATIVE, tools=("pip",))["pip"].startswith(
        ("machine HOST-OF-THIS-SERVER", "packhouse login")
    )
    assert "machine HOST-OF-THIS-SERVER" in str(told(settings=RELATIVE, tools=("curl",)))


@pytest.mark.parametrize(
    ("readers", "channel", "locked", "sentence"),
    [
        ("everyone", CHANNEL, False, "Everyone may read it."),
        ("channel", CHANNEL, True, "Everyone who may read the channel main may read it."),
        ("everyone", PRIVATE, True, "Everyone who may read the channel team may read it."),
        (
            "granted",
            CHANNEL,
            True,
            "Only people, groups and service accounts that were granted this package may read it.",
        ),
    ],
)
def test_who_may_read_is_said_in_words(readers, channel, locked, sentence):
    assert commands.is_locked(readers, channel) is locked
    assert commands.readers_sentence(readers, channel) == sentence
    assert bool(told(readers, channel)) is locked


@pytest.mark.parametrize("text", NO_LINKS)
def test_what_is_not_the_web_or_mail_is_no_link(text):
    assert not may_link(text)


@pytest.mark.parametrize(
    "text", ["https://a.example/?a=1&b=2#c", "HTTP://A.example", "mailto:ann@a.example", "http://[::1]:8080/"]
)
def test_the_web_and_mail_are_links(text):
    assert may_link(text)


def test_characters_that_markup_may_not_hold_are_replaced():
    assert printable("a\x00\x08\x1b\x7f\x85\ud800\ufffe\U0001ffff") == "a" + "\ufffd" * 8
    assert printable("tab\t\r\n é 你 🎉 \xa0") == "tab\t\r\n é 你 🎉 \xa0"


def test_a_name_is_one_segment_and_a_path_keeps_its_slashes():
    assert segment("a/b?c#d+é%") == "a%2Fb%3Fc%23d%2B%C3%A9%25"
    assert address("a/b c") == "a/b%20c"
