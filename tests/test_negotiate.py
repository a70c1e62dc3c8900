"""Forms by Accept, fields, text that was not UTF-8, and pages of lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Malformed
from uploadd import paging
from uploadd.negotiate import select_fields, told, wanted_form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/yaml", "yaml"),
        ("APPLICATION/YAML", "yaml"),
        ("text/yaml;q=0.5, application/json;q=0.4", "yaml"),
        ("application/yaml, application/json", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("text/html;q=0.1;level=1", "html"),
        ("text/html;level=1;q=0", "json"),
        ("text/html;q=7, application/yaml", "yaml"),
        ("text/html;q=nan", "json"),
        ("image/png", "json"),
    ],
)
def test_the_form_that_is_liked_best(accept, form):
    assert wanted_form(accept) == form


@given(st.text(max_size=60))
def test_no_accept_header_is_an_error(accept):
    assert wanted_form(accept) in {"json", "yaml", "html"}


class TestFields:
    def test_of_an_object_and_of_each_of_a_list(self):
        body = {"a": 1, "b": {"a": 2}, "c": 3}

        assert select_fields(body, "") == body
        assert select_fields(body, " c, a,") == {"c": 3, "a": 1}
        assert select_fields([body, {"d": 1}], "a,d") == [{"a": 1}, {"d": 1}]
        assert select_fields(body, "nothing") == {}

    def test_what_could_not_be_decoded_of_the_rest_stays_told(self):
        body = told({"summary": "caf\\xe9", "name": "a"}, ["summary"])

        assert body["decoding_failures"] == ["summary"]
        kept = select_fields(body, "summary")
        assert kept == {"summary": "caf\\xe9", "decoding_failures": ["summary"]}
        assert select_fields(body, "name") == {"name": "a"}
        assert select_fields(body, "decoding_failures") == {"decoding_failures": ["summary"]}
        assert told({"a": 1}, ()) == {"a": 1}


class TestPages:
    @pytest.mark.parametrize("text", ["0", "51", "-1", "x", "", "1.5", "٣", "9" * 30])
    def test_a_wrong_size(self, text):
        with pytest.raises(Malformed, match="send a number"):
            paging.per_page({"per_page": text})

    def test_sizes(self):
        assert paging.per_page({}) == 10
        assert paging.per_page({"per_page": "50"}) == 50
        assert paging.number({}, "since", default=7) == 7
        assert paging.number({"since": "012"}, "since", default=7) == 12

    @pytest.mark.parametrize("token", ["a", "a/b/c", "a/b/", "/"])
    def test_a_token_of_another_list(self, token):
        if token == "/":
            assert paging.texts({"page_token": token}, 2) == ("", "")
        else:
            with pytest.raises(Malformed, match="page_token"):
                paging.texts({"page_token": token}, 2)

    def test_a_token_that_is_a_number(self):
        assert paging.behind({}) == 0
        assert paging.behind({"page_token": "17"}) == 17
        assert paging.rank("3") == 3
        for token in ("x", "1/2", "9" * 19):
            with pytest.raises(Malformed, match="page_token"):
                paging.behind({"page_token": token})

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), max_size=30), st.integers(1, 7))
    def test_cut_pages_hold_everything_once(self, items, size):
        """Whatever the size: the token leads to exactly what is behind the page."""
        ordered = sorted(set(items))
        found, token = [], None
        while token != "":
            after = paging.texts({"page_token": token or ""}, 2)
            rest = [item for item in ordered if after is None or item > (after[0], int(after[1]))]
            page, token = paging.cut(rest[: size + 1], size, lambda item: item)
            found += page
        assert found == ordered

    @given(
        st.sets(
            st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=3),
            max_size=20,
        )
    )
    def test_windows_hold_everything_once(self, items):
        found, query = [], {"per_page": "3"}
        while True:
            page, token = paging.window(query, sorted(items), lambda item: item)
            found += page
            if not token:
                break
            query = {"per_page": "3", "page_token": token}
        assert found == sorted(items)

    def test_the_next_page_keeps_what_was_asked(self):
        address = paging.next_page("/api/1/a b/", {"q": "x&y", "page_token": "old"}, "new/1")

        assert address == "/api/1/a%20b/?q=x%26y&page_token=new%2F1"
        assert paging.next_page("/", {}, "") == ""
