"""The registries and packages that a caller of the Python client may name, and what is refused unasked."""

import pytest
from client_support import fresh_client, site

import packhouse
from packhouse.client import registry


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.mark.parametrize(
    ("url", "server", "channel"),
    [
        ("http://Host:8080/main", "http://host:8080", "main"),
        ("https://host/main/", "https://host", "main"),
        ("https://host/below/main", "https://host/below", "main"),
    ],
)
def test_a_registry_is_a_server_and_a_channel(url, server, channel):
    found = registry.parse_registry(url)

    assert (found.server, found.channel, found.url) == (server, channel, f"{server}/{channel}")


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "http://host/",
        "ftp://host/main",
        "main",
        "http://ann:secret@host/main",
        "http://host/main?x=1",
        "http://[host/main",
    ],
)
def test_what_names_no_channel_is_refused(url):
    with pytest.raises(packhouse.Malformed) as caught:
        registry.parse_registry(url)
    assert "secret" not in str(caught.value)


def test_a_bare_name_may_mean_one_package_of_each_ecosystem():
    assert [str(name) for name in registry.parse_package("Py_Tool")] == [
        "conda/py_tool",
        "pypi/py-tool",
        "generic/py_tool",
    ]
    assert [str(name) for name in registry.parse_package("pypi/Py_Tool")] == ["pypi/py-tool"]
    assert [str(name) for name in registry.parse_package("_x")] == ["conda/_x", "generic/_x"]


@pytest.mark.parametrize("name", ["", "npm/x", "pypi/", "pypi/a/b", "../x", "generic/..", "a b"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(name):
    with site({}) as there, pytest.raises(packhouse.BadName):
        packhouse.list_package_versions(name, f"{there.url}/main")
    assert there.asked == []
