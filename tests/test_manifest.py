"""The digest that stands for a version: order-free, and different for different files."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from packhouse.manifest import File, as_json, ordered, top_hash

SHA = "a" * 64

FILES = st.lists(
    st.builds(
        lambda name, size, digit: File(path=f"noarch/{name}", filename=name, size=size, sha256=digit * 64),
        st.from_regex(r"[a-z0-9._+!-]{1,8}", fullmatch=True),
        st.integers(0, 10**12),
        st.sampled_from("0123456789abcdef"),
    ),
    max_size=6,
)


def test_the_bytes_that_are_hashed():
    """One line for each file: name, size, digest."""
    files = [
        File(path="x/b.whl", filename="b.whl", size=20, sha256="b" * 64),
        File(path="x/a.whl", filename="a.whl", size=1, sha256=SHA),
    ]
    text = f"a.whl\t1\t{SHA}\nb.whl\t20\t{'b' * 64}\n"

    assert top_hash(files) == hashlib.sha256(text.encode()).hexdigest()
    assert top_hash([]) == hashlib.sha256(b"").hexdigest()
    assert [item["filename"] for item in as_json(files)] == ["a.whl", "b.whl"]
    assert as_json(files)[0] == {"path": "x/a.whl", "filename": "a.whl", "size": 1, "sha256": SHA}


def test_one_name_in_two_subdirs_is_ordered_by_path():
    one = File(path="linux-64/a.conda", filename="a.conda", size=1, sha256="1" * 64)
    two = File(path="noarch/a.conda", filename="a.conda", size=2, sha256="2" * 64)

    assert ordered([two, one]) == [one, two]
    assert top_hash([two, one]) == top_hash([one, two])


@given(FILES, st.randoms())
def test_the_order_in_which_files_are_given_does_not_count(files, random):
    shuffled = files[:]
    random.shuffle(shuffled)
    lines = sorted((file.filename, file.size, file.sha256) for file in files)
    unique = len({file.filename for file in files}) == len(files)

    assert not unique or top_hash(shuffled) == top_hash(files)
    text = "".join(f"{name}\t{size}\t{sha}\n" for name, size, sha in lines)
    assert not unique or top_hash(files) == hashlib.sha256(text.encode()).hexdigest()


@given(FILES, FILES)
def test_different_files_have_different_digests(one, other):
    def told(files):
        return sorted((file.filename, file.size, file.sha256) for file in files)

    if told(one) != told(other):
        assert top_hash(one) != top_hash(other)
