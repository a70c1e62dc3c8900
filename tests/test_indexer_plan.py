"""The plan: what to write and remove, in the order of publication."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.plan import plan
from packhouse.catalog.areas import Printed
from packhouse.ecosystems import Page, Pages


def sha(body):
    return hashlib.sha256(body).hexdigest()


def shard(body):
    return Page(f"noarch/shards/{sha(body)}.msgpack.zst", body)


def printed(body, mtime_s=1):
    return Printed(sha(body), len(body), mtime_s)


bodies = st.binary(max_size=3)
leaves = st.dictionaries(st.sampled_from(["a", "a.zst", "b/c", "b/d"]), bodies)


@st.composite
def rendered(draw):
    files = draw(leaves)
    order = draw(st.permutations(sorted(files)))
    shards = draw(st.lists(bodies, unique=True, max_size=3))
    return Pages(fixed=[shard(body) for body in shards], leaves=[Page(path, files[path]) for path in order])


def carry_out(before, todo):
    after = {path: item for path, item in before.items() if item.sha256 and item.mtime_s}
    for page in todo.write:
        after[page.path] = printed(page.body, 2)
    for path in (*todo.remove, *todo.discard):
        after.pop(path, None)
    return after


befores = st.builds(
    lambda pages, removed, announced: (
        {page.path: printed(page.body) for page in (*pages.fixed, *pages.leaves)}
        | {path: Printed(None, 0, 5) for path in removed}
        | {path: Printed(sha(b"x"), 1, 0) for path in announced}
    ),
    rendered(),
    st.sets(st.sampled_from(["a", "old"])),
    st.sets(st.sampled_from(["b/c", "half"])),
)


@given(befores, rendered())
def test_carrying_out_the_plan_gives_what_was_rendered(before, pages):
    """Nothing is missing afterwards, nothing is left over, and a second plan is empty."""
    after = carry_out(before, plan(before, pages))

    assert {path: item.sha256 for path, item in after.items()} == {
        page.path: sha(page.body) for page in (*pages.fixed, *pages.leaves)
    }
    assert plan(after, pages).empty


@given(befores, rendered())
def test_the_order_is_the_one_given(before, pages):
    """Shards come before every leaf, leaves keep the order in which their format rendered them."""
    todo = plan(before, pages)
    order = [page.path for page in (*pages.fixed, *pages.leaves)]

    assert [page.path for page in todo.write] == [
        path for path in order if path in {page.path for page in todo.write}
    ]
    assert list(todo.remove) == sorted(todo.remove, reverse=True)


@given(rendered())
def test_equal_bytes_are_not_written(pages):
    """What is published already stays untouched, so that clients' copies stay valid."""
    before = {page.path: printed(page.body) for page in (*pages.fixed, *pages.leaves)}

    assert plan(before, pages).empty


def test_a_shard_nobody_names_any_more_is_discarded_and_a_page_is_removed():
    """Clients may hold an index that names the shard; a page is named by nothing that they keep."""
    old = shard(b"old")
    before = {old.path: printed(b"old"), "simple/x/index.html": printed(b"x")}
    todo = plan(before, Pages())

    assert todo.discard == [old.path]
    assert todo.remove == ["simple/x/index.html"]
    assert not todo.empty


def test_a_removed_path_is_not_removed_again():
    """Its row only keeps the time of the file that was there."""
    assert plan({"a": Printed(None, 0, 9)}, Pages()).empty


def test_an_announced_path_is_written_even_if_its_bytes_would_be_the_same():
    """A crash may have come before them."""
    pages = Pages(leaves=[Page("a", b"x")])

    assert [page.path for page in plan({"a": printed(b"x", mtime_s=0)}, pages).leaves] == ["a"]


def test_an_announced_path_that_is_not_rendered_any_more_is_removed():
    """A crash may have come after them."""
    assert plan({"a": printed(b"x", mtime_s=0)}, Pages()).remove == ["a"]


def test_a_path_rendered_twice_is_an_error():
    """One of the two would be lost in silence."""
    with pytest.raises(ValueError, match="twice"):
        plan({}, Pages(fixed=[Page("a", b"1")], leaves=[Page("a", b"2")]))
