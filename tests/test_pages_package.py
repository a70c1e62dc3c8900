"""The page of a package: what it says, what it links, how long it gets, and that a stranger's text stays text."""

from people_support import (
    NO_LINKS,
    NOON,
    PRIVATE,
    RELATIVE,
    by_id,
    digest,
    event,
    file_view,
    package,
    package_page,
    text_of,
    versions,
    view,
)

from packhouse.ecosystems.view import Check, Diff, Readme, VersionView
from packhouse.pages.package import Dependents


def links(element):
    return {text_of(link): link.get("href") for link in element.iter("a")}


def test_four_files_stand_in_the_folder_and_the_page_comes_last():
    """What the page links to is there before it."""
    assert list(package(view())) == [
        "pypi/flask/feed.atom",
        "pypi/flask/latest.json",
        "pypi/flask/badge.svg",
        "pypi/flask/index.html",
    ]


def test_equal_values_give_equal_bytes():
    assert package(view()) == package(view())


def test_the_head_says_name_version_summary_marks_and_who_may_read():
    tree = package_page(
        view(
            marks=[("yanked", "Yanked: it breaks."), ("archived", "Nobody works on it.")],
            warnings=["odd name"],
        )
    )

    assert text_of(tree.find(".//h1")) == "Flask 3.1.0 yanked archived"
    head = text_of(tree.find(".//main"))
    assert "A simple framework for building complex web applications." in head
    assert "Yanked: it breaks." in head
    assert "Nobody works on it." in head
    assert "odd name" in head
    assert "Everyone may read it." in head
    assert "2 files, 206 kB" in head
    assert text_of(tree.find(".//title")) == "Flask 3.1.0 · main · Packhouse"


def test_commands_use_the_channels_own_address():
    tree = package_page()

    commands = [text_of(code) for code in by_id(tree, "content").iter("code") if not code.get("class")]
    assert "pip install --index-url https://packages.example:8443/main/simple/ Flask==3.1.0" in commands


def test_without_a_base_url_a_script_fills_the_address_in():
    tree = package_page(settings=RELATIVE)

    (place,) = {
        (span.get("data-address"), span.text) for span in tree.iter("span") if span.get("data-address")
    }
    assert place == ("../../", "URL-OF-THIS-CHANNEL")
    assert "URL-OF-THIS-CHANNEL" in text_of(tree.find(".//noscript"))


def test_who_needs_a_key_is_told_how_to_give_it_to_the_tool():
    open_page, locked = text_of(package_page()), package_page(readers="granted", channel=PRIVATE)

    assert "YOUR-KEY" not in open_page
    assert "machine packages.example login __token__ password YOUR-KEY" in text_of(locked)
    assert links(locked)["the page of your account"] == "../../../account/"


def test_links_are_for_the_web_and_mail_and_all_else_is_text():
    tree = package_page(
        view(links=[("Home", "https://flask.example/"), *(("Odd", item) for item in NO_LINKS)])
    )

    out = [link for link in tree.iter("a") if link.get("rel")]
    assert [link.get("href") for link in out] == ["https://flask.example/"]
    assert "javascript:alert(1)" in text_of(tree)


def test_a_long_label_of_a_link_is_cut():
    """It stands in a narrow column, and would push the page wider than a telephone."""
    labels = [
        text_of(term) for term in package_page(view(links=[("x" * 99, "https://a.example/")])).iter("dt")
    ]

    assert f"{'x' * 31}…" in labels


def test_requirements_link_only_to_what_is_here():
    tree = package_page()

    runtime = links(by_id(tree, "content"))
    assert runtime["Werkzeug>=3.1"] == "../../pypi/werkzeug/"
    assert "importlib-metadata>=3.6" not in runtime
    assert 'importlib-metadata>=3.6 if python_version < "3.10"' in text_of(tree)
    assert "Extra: dotenv" in text_of(tree)


def test_a_version_without_requirements_or_readme_says_so():
    text = text_of(package_page(view(requirements=(), readme=None, diff=None)))

    assert "This version states none." in text
    assert "No description came with this version." in text
    assert "Changed since" not in text


def test_a_readme_is_sanitised_and_a_plain_one_keeps_its_lines():
    marked = package_page(
        view(readme=Readme(text="x", html="<p>ok</p><script>alert(1)</script><p onclick=x>two</p>"))
    )
    plain = package_page(view(readme=Readme(text="\n  one\n<b>two</b>")))

    (prose,) = (element for element in marked.iter("div") if element.get("class") == "prose")
    assert [element.tag for element in prose] == ["p", "p"]
    (pre,) = (element for element in plain.iter("pre") if element.get("class") == "prose")
    assert pre.text == "\n  one\n<b>two</b>"


def test_files_are_linked_with_their_pages_and_what_lies_beside_them():
    tree = package_page()

    table = by_id(tree, "files-table")
    assert links(table) == {
        "flask-3.1.0-py3-none-any.whl": "../../packages/flask/flask-3.1.0-py3-none-any.whl",
        "contents of flask-3.1.0-py3-none-any.whl": "release/3.1.0/files/flask-3.1.0-py3-none-any.whl/",
        ".metadata": "../../packages/flask/flask-3.1.0-py3-none-any.whl.metadata",
        "flask-3.1.0.tar.gz": "../../packages/flask/flask-3.1.0.tar.gz",
        "contents of flask-3.1.0.tar.gz": "release/3.1.0/files/flask-3.1.0.tar.gz/",
    }
    assert [code.get("data-copy") for code in table.iter("code")] == [
        digest("flask-3.1.0-py3-none-any.whl"),
        digest("flask-3.1.0.tar.gz"),
    ]


def test_names_are_one_segment_of_an_address_whatever_is_in_them():
    odd = file_view("a+b!1.whl", path="packages/flask/a+b!1.whl")
    tree = package_page(view(version="1!2+x", files=[odd]))

    assert set(links(by_id(tree, "files-table")).values()) == {
        "../../packages/flask/a%2Bb%211.whl",
        "release/1%212%2Bx/files/a%2Bb%211.whl/",
        "../../packages/flask/a%2Bb%211.whl.metadata",
    }


def test_the_filter_shows_where_there_is_something_to_choose():
    many, one = package_page(), package_page(view(files=[file_view()]))
    none = package_page(view(files=[file_view(f"{number}.whl", platform="") for number in range(9)]))

    assert [option.text for option in many.iter("option")] == ["all", "any", "source"]
    assert not [form for form in one.iter("form") if form.get("data-filters")]
    assert [form for form in none.iter("form") if form.get("data-filters")]
    assert not list(none.iter("select"))


def test_of_very_many_files_the_first_are_listed_and_the_rest_is_linked():
    tree = package_page(view(files=[file_view(f"{number}.whl") for number in range(203)]))

    section = text_of(tree)
    assert "Files 203" in section
    assert "and 3 more on the page of this version" in section
    assert links(tree)["the page of this version"] == "release/3.1.0/#files"
    assert len(by_id(tree, "files-table").findall(".//tbody/tr")) == 200


def test_a_version_without_a_page_is_not_linked():
    """Pages of releases come later than the page of the package; a link never leads to what is not there yet."""
    files = [file_view(f"{number}.whl", sidecars=()) for number in range(203)]
    tree = package_page(view(files=files, versions=versions(3), version="3.3.0"), released=["3.2.0"])

    hrefs = [link.get("href") for link in tree.iter("a")]
    assert [href for href in hrefs if href.startswith("release/")] == ["release/3.2.0/"]
    assert "3.3.0 shown here" in text_of(tree)
    assert "and 3 more" in text_of(tree)


def test_a_version_without_a_file_has_a_page():
    tree = package_page(view(files=()))

    assert "This version has no file." in text_of(tree)
    assert "There is no file, and so nothing to check." in text_of(tree)


def test_prereleases_are_folded_away_and_versions_past_a_hundred():
    tree = package_page(view(version="3.130.0", versions=versions(130, prerelease_every=13)))

    folded = [text_of(element) for element in tree.iter("summary")]
    assert folded == ["20 older versions", "10 pre-releases"]
    tables = [text_of(element.find(".//tbody/tr/th")) for element in tree.iter("details")]
    assert tables == ["3.21.0", "3.130.0rc1 pre-release"]


def test_where_there_are_only_prereleases_they_are_in_sight():
    only = [VersionView(version="1.0a1", uploaded_us=NOON, files=1, size=5, prerelease=True, yanked="bad")]
    tree = package_page(view(version="1.0a1", versions=only))

    assert not list(tree.iter("details"))
    assert "1.0a1 shown here pre-release yanked" in text_of(tree)
    assert "Why yanked" in text_of(tree)
    assert "Why yanked" not in text_of(package_page())
    assert links(by_id(tree, "content"))["1.0a1"] == "release/1.0a1/"


def test_dependents_are_linked_and_counted():
    many = package_page(dependents=Dependents([f"p{number}" for number in range(120)], 431))
    none = package_page(dependents=Dependents((), 0))

    assert links(many)["p99"] == "../../pypi/p99/"
    assert "p100" not in links(many)
    assert "and 331 more" in text_of(many)
    assert "No package of this channel says that it needs this one." in text_of(none)


def test_what_changed_is_said_line_by_line():
    long = [f"f{number}" for number in range(105)]
    changed = package_page(view(diff=Diff(since="3.0", members_removed=long, members_compared=True)))
    unknown = package_page(view(diff=Diff(since="3.0", members_added=["x"], members_compared=False)))
    same = package_page(view(diff=Diff(since="3.0", members_compared=True)))

    assert [element.text for element in package_page().iter("ins")] == [
        "Werkzeug>=3.1",
        "flask/sansio/app.py",
    ]
    assert [element.text for element in package_page().iter("del")] == ["Werkzeug>=3.0.0"]
    assert len(list(changed.iter("del"))) == 100
    assert "and 5 more" in text_of(changed)
    assert not list(unknown.iter("ins"))
    assert "Not the requirements." in text_of(unknown)
    assert "was not compared" in text_of(unknown)
    assert "Neither the requirements nor the names of the files inside." in text_of(same)


def test_checks_of_all_files_are_one_line_and_missing_provenance_is_said():
    odd = Check(outcome="warning", text="Odd member.")
    some = [
        file_view(f"{number}.whl", checks=[odd] if number < 7 else [], sidecars=()) for number in range(9)
    ]
    tree = package_page(view(files=some))
    told = package_page(view(files=[file_view(sidecars=[("provenance", "packages/flask/x.provenance")])]))

    lines = [text_of(line) for line in tree.iter("li") if line.get("class") in ("warning", "missing")]
    assert lines[0] == "warning: Odd member. (0.whl, 1.whl, 2.whl, 3.whl, 4.whl and 2 more)"
    assert lines[1].startswith("missing: There is no provenance")
    assert "There is no provenance" not in text_of(told)
    whole = [text_of(line) for line in package_page().iter("li") if line.get("class") == "verified"]
    assert whole[0] == "verified: The SHA-256 is the one that the uploader named."


def test_the_log_is_newest_first_and_names_no_address():
    tree = package_page()
    full = package_page(events=[event(number) for number in range(60)])

    rows = [
        " ".join(text_of(cell) for cell in row)
        for row in tree.iter("tr")
        if (row.get("id") or "").startswith("serial-")
    ]
    assert rows == [
        "9 2026-11-21 user:ann flask-3.1.0.tar.gz yanked: broken",
        "7 2026-11-21 user:ann flask-3.1.0.tar.gz uploaded",
    ]
    assert "203.0.113.9" not in text_of(tree)
    assert len([row for row in full.iter("tr") if (row.get("id") or "").startswith("serial-")]) == 50
    assert links(full)["list of all events of the channel"] == "../../../api/1/channels/main/events/"
    assert "Nothing was noted." in text_of(package_page(events=()))


def test_kin_tags_and_what_to_follow_are_beside_the_text():
    tree = package_page()
    alone = package_page(view(tags=()), kin=())

    assert links(tree)["a conda package"] == "../../conda/flask/"
    assert links(tree)["Atom feed"] == "feed.atom"
    assert "Framework :: Flask" in text_of(tree)
    assert "Also here as" not in text_of(alone)
    assert "Filed under" not in text_of(alone)
