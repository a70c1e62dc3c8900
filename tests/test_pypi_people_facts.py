"""What a Python project says of itself, as its page shows it: facts, tags, links, marks, README, commands."""

from dataclasses import replace

import pytest
from pypi_people_support import artifact, page
from pypi_support import committed, make_sdist

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi import PYPI
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename


def test_facts_answer_a_readers_questions_in_order():
    found = page(
        [artifact(), artifact(tags="", serial=2)],
        license_expression="BSD-3-Clause",
        author="Zoë",
        author_email="zoe@example.org",
        maintainer_email="team@example.org",
    )

    assert found.facts == [
        ("Requires Python", ">=3.8"),
        ("Licence", "BSD-3-Clause"),
        ("Author", "Zoë"),
        ("Maintainer", "team@example.org"),
        ("Released", "2025-10-10 08:53 UTC"),
        ("Uploaded by", "user:ann"),
    ]


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [
        ({"license": "MIT"}, "MIT"),
        ({"license": "MIT", "classifiers": ["License :: OSI Approved :: MIT License"]}, "MIT"),
        ({"classifiers": ["License :: OSI Approved :: MIT License", "Topic :: X"]}, "MIT License"),
        ({"license": "The licence\n\nThis is\n", "classifiers": ["License :: OSI Approved"]}, "OSI Approved"),
        ({"license": "The licence\n\nThis is\n"}, "The licence …"),
        ({"license": "x" * 101}, "x" * 100 + " …"),
        ({"license_expression": "MIT", "license": "Old\ntext"}, "MIT"),
        ({"license": None}, None),
    ],
)
def test_a_licence_is_short(metadata, shown):
    assert dict(page([artifact()], **metadata).facts).get("Licence") == shown


def test_tags_are_classifiers_and_keywords_each_once():
    found = page(
        [artifact()], classifiers=["Topic :: X", "Typing :: Typed"], keywords=["a b", "c,d", "", "a b"]
    )

    assert found.tags == ["Topic :: X", "Typing :: Typed", "a b", "c", "d"]


def test_links_are_web_and_mail_addresses_each_once():
    found = page(
        [artifact()],
        project_urls={
            "Source": "https://example.org/src", "Bad": "javascript:alert(1)", "Data": "data:text/html,x",
            "Mail": "mailto:a@example.org", "": "http://example.org", "Broken": "https://[x", "Nowhere": "https://?x",
            "Slash": "https:\\\\example.org", "Relative": "/x",
        },
        home_page="https://example.org/src", download_url=None,
    )  # fmt: skip

    assert found.links == [
        ("Source", "https://example.org/src"),
        ("Mail", "mailto:a@example.org"),
        ("Link", "http://example.org"),
    ]


@pytest.mark.parametrize(
    ("rows", "metadata", "kinds", "words"),
    [
        ([artifact()], {}, [], ""),
        ([artifact(yanked="leaks")], {}, ["yanked"], "leaks"),
        ([artifact(yanked="")], {}, ["yanked"], "no reason was given"),
        ([artifact(yanked="x"), artifact(tags="", serial=2)], {}, [], ""),
        ([artifact("1.0.dev1")], {}, ["prerelease"], "1.0.dev1 is a pre-release"),
        ([artifact()], {"classifiers": ["Development Status :: 7 - Inactive"]}, ["archived"], "inactive"),
    ],
)
def test_marks_say_what_a_reader_must_know_first(rows, metadata, kinds, words):
    found = page(rows, **metadata)

    assert [kind for kind, _ in found.marks] == kinds
    assert words in "".join(sentence for _, sentence in found.marks)


@pytest.mark.parametrize("text", ["", "UNKNOWN\n", "\n\n", None])
def test_no_description_is_no_readme(text):
    assert page([artifact()], description=text).readme is None


def test_a_description_that_no_renderer_read_is_plain_text():
    readme = page([artifact()], description="\n  plain\n").readme

    assert readme is not None
    assert (readme.text, readme.html) == ("  plain", "")


def test_a_warning_is_told_once_with_the_files_it_is_about():
    rows = [
        artifact(tags="py3-none-any", warnings=("all", "one")),
        artifact(tags="py2-none-any", serial=2, warnings=("all", "two")),
        artifact(tags="", serial=3, warnings=("all", "two")),
    ]

    assert page(rows).warnings == ["all", "tiny-1.0-py3-none-any.whl: one", "2 of 3 files: two"]


def test_requirements_are_those_of_the_wheel_and_stand_in_the_order_of_the_extras():
    rows = [artifact(requires_dist=["a", "t; extra == 't'", "d; extra == 'd'"]), artifact(tags="", serial=2)]

    assert [group.title for group in page(rows, provides_extra=["d", "t"]).requirements] == [
        "Runtime",
        "Extra: d",
        "Extra: t",
    ]


def test_commands_pin_the_version_and_survive_a_shell():
    """tests/test_pypi_people_clients.py runs each of them."""
    install = page([replace(artifact("1!2.0+x"), channel=ChannelName("dev"))]).install

    assert install == {
        "pip": "pip install --index-url {channel}/simple/ 'tiny==1!2.0+x'",
        "uv": "uv pip install --default-index {channel}/simple/ 'tiny==1!2.0+x'",
        "poetry": "poetry source add --priority=explicit packhouse-dev {channel}/simple/\n"
        "poetry add --source packhouse-dev 'tiny==1!2.0+x'",
    }


def test_metadata_that_is_not_as_it_should_be_breaks_no_page():
    found = page([artifact()], classifiers="x", keywords=None, project_urls=["x"], author=3, description=[])

    assert (found.tags, found.links, found.readme) == ([], [], None)


def test_a_real_sdist_has_a_page(tmp_path):
    filename, data = make_sdist(requires_dist=["six"])
    (tmp_path / filename).write_bytes(data)
    claim = Claim(channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename))
    observed = PYPI.inspect(tmp_path / filename, claim, Limits())
    row = committed(observed, data)

    found = page([row], details={row.id: observed.details})

    assert found.requirements[0].items[0].package == "six"
    assert found.files[0].members_total == 3
