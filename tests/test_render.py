"""The Jinja environment: escape everything, forgive nothing."""

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from packhouse.render import environment, render


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
    body = render(
        "site.html",
        title="Channels",
        channels=["a<b"],
        closed=(),
        default="main",
        server_url="",
        static="static/",
    )

    assert b"a&lt;b" in body
    with pytest.raises(TemplateNotFound):
        render("nothing.html")
