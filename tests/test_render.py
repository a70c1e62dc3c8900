"""The Jinja environment: escape everything, forgive nothing."""

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from packhouse.pages.frame import AT_ROOT
from packhouse.render import amount, environment, render


def test_everything_is_escaped_whatever_the_template_is_called(tmp_path):
    """A summary is text, never markup."""
    (tmp_path / "page.txt").write_text("{{ text }}")

    assert environment(tmp_path).get_template("page.txt").render(text="<b>&") == "&lt;b&gt;&amp;"


def test_an_unknown_name_is_an_error(tmp_path):
    """An empty place on a page would hide a mistake."""
    (tmp_path / "page.html").write_text("{{ missing }}")

    with pytest.raises(UndefinedError):
        environment(tmp_path).get_template("page.html").render()


def test_our_templates_are_found():
    """They lie beside the package, or inside it."""
    body = render("api.html", title="a<b", body="", next="", **AT_ROOT.values())

    assert b"a&lt;b" in body
    with pytest.raises(TemplateNotFound):
        render("nothing.html")


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (9_996, "10.0 kB"), (99_951, "100 kB"),
     (999_499, "999 kB"), (999_500, "1.00 MB"), (34_500_000, "34.5 MB"), (5 * 10**18, "5000 PB")],
)  # fmt: skip
def test_a_size_has_three_digits_that_count(size, shown):
    assert amount(size) == shown


def test_a_time_is_shown_by_day_and_read_by_programs_to_the_second(tmp_path):
    (tmp_path / "page.html").write_text("{{ t|day }} {{ t|iso }} {{ t|moment }}")

    shown = environment(tmp_path).get_template("page.html").render(t=1_795_255_205_999_999)

    assert shown == "2026-11-21 2026-11-21T10:00:05Z 2026-11-21 10:00:05 UTC"
