"""Refusals are values with a stable code and a sentence that helps."""

import inspect

import pytest

from packhouse import errors


def every_error():
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.PackhouseError)]


def test_every_refusal_has_a_code_of_its_own():
    codes = [c.__dict__.get("code") for c in every_error()]

    assert None not in codes
    assert len(codes) == len(set(codes))


def test_every_difference_is_named():
    refusal = errors.ClaimMismatch(
        "a-1.whl", [errors.Mismatch("size", 1, 2), errors.Mismatch("sha256", "x", "y")]
    )

    assert (
        str(refusal)
        == "a-1.whl is refused: size is 2, but the upload claimed 1; sha256 is y, but the upload claimed x"
    )


def test_a_burnt_name_is_not_mistaken_for_an_existing_file():
    """Clients such as poetry and pdm skip on "already exist", and would report success for nothing."""
    assert "already exist" not in str(errors.Burnt("main", "noarch/a-1-0.conda")).lower()


def test_a_taken_name_starts_with_what_clients_look_for():
    assert str(errors.Exists("main", "noarch/a-1-0.conda")).startswith("File already exists")


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (errors.BadName("file name", "x" * 500, "too long"), "..."),
        (errors.TooLarge("a", 5, 3), "is 5 bytes; this server accepts at most 3 bytes"),
        (errors.TooLarge("a", None, 3), "goes on past the limit"),
        (errors.NotFound("channel", "x", "make it"), "there is no channel x; make it"),
        (errors.NotFound("channel", "x"), "there is no channel x"),
        (errors.Forbidden("ci", "write", "channel main"), "ci may not write channel main"),
        (errors.Exists("main", "p", overwrite_hint="wait"), "has other bytes; wait"),
        (errors.BadMetadata("f", ["a", "b"]), "f is refused: a; b"),
        (errors.BadArchive("f", "no zip"), "f is refused: no zip"),
        (errors.OverwriteForbidden("main"), "does not allow overwriting"),
        (errors.ChannelExists("main"), "is there already"),
    ],
)
def test_sentences_say_what_is_wrong(refusal, says):
    assert says in str(refusal)
