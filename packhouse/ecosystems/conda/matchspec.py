"""Match specs, the sentences of `depends` and `constrains` (CEP 29, 43, 44, 45).

This is a parser of what may stand in a *record*. It is narrower than what clients accept on a command line: an
exact package name, no URL, no file name, no regular expression. What it accepts, every client must be able to
read, since one spec that does not parse takes its package away from everybody.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from packhouse.ecosystems.conda.versions import bound_problem

MAX_SPEC = 2048
_MAX_DEPTH = 8

_TEXT = re.compile(r"[ \t\x21-\x7e]*")
_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|~=|=|<|>")
_OPERAND = re.compile(r"[A-Za-z0-9_.+!-]*(?:\*(?:\.\*)*)?")
_EXACT_GLOB = re.compile(r"==(?=[A-Za-z0-9_.+!-]*\*)")
_BUILD = re.compile(r"\*?[A-Za-z0-9_.+]+(?:\*[A-Za-z0-9_.+]+)*\*?|\*")
_JOINT = re.compile(r"[,|()]")
_BUILD_NUMBER = re.compile(r"(?:==|!=|<=|>=|<|>)?[0-9]{1,9}")
_KEY = re.compile(r"([a-z_0-9]+)=")
_BARE = re.compile(r"[A-Za-z0-9_.*+!<>=~|:/-]+")
_WORD = re.compile(r"[A-Za-z0-9_.+ :/()-]+")

# CEP 44: group names; CEP 45: flags, where `*` is a glob.
GROUP = re.compile(r"[a-z0-9_.+-]{1,64}")
_FLAG = re.compile(r"[a-z0-9_*]+(?::[a-z0-9_*]+)?")

_REVISION_3 = frozenset({"when", "extras", "flags"})
_IN_V3 = frozenset({"version", "build", "build_number"}) | _REVISION_3
_RULES = {
    "build": _BUILD,
    "build_number": _BUILD_NUMBER,
    "md5": re.compile(r"[0-9a-fA-F]{32}"),
    "sha256": re.compile(r"[0-9a-fA-F]{64}"),
    **dict.fromkeys(("channel", "subdir", "license", "license_family", "track_features"), _WORD),
}
_LISTS = {"extras": GROUP, "flags": _FLAG}


class SpecError(ValueError):
    """The text is no match spec; the message says where it stops being one."""


@dataclass(frozen=True, slots=True)
class MatchSpec:
    """One parsed spec: an exact name and the fields it sets, values as text (lists for `extras` and `flags`)."""

    name: str
    fields: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    @property
    def needs_revision_3(self) -> bool:
        """Whether older clients cannot read it (CEP 43, 44, 45)."""
        return not _REVISION_3.isdisjoint(self.fields)

    @property
    def outside_revision_3(self) -> tuple[str, ...]:
        """Fields that no record of revision 3 may set, sorted (CEP 48)."""
        return tuple(sorted(set(self.fields) - _IN_V3))

    def bracketed(self) -> str:
        """The form that CEP 48 asks for: the bare name, or the name and every field in square brackets."""
        pairs = [f"{key}={_quoted(value)}" for key, value in sorted(self.fields.items())]
        return f"{self.name}[{','.join(pairs)}]" if pairs else self.name


def _quoted(value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{','.join(value)}]"
    return f"'{value}'" if '"' in value else f'"{value}"'


def parse_matchspec(text: str) -> MatchSpec:
    """Return the spec that `text` spells.

    Raises:
        SpecError: over 2048 characters, or not a spec that may stand in a record.
    """
    if len(text) > MAX_SPEC:
        raise SpecError(f"it has {len(text)} characters, at most {MAX_SPEC} are allowed")
    if not _TEXT.fullmatch(text):
        raise SpecError("it holds characters outside printable ASCII")
    return _parse(text.strip(), conditional=True)


def _parse(text: str, *, conditional: bool) -> MatchSpec:
    head, bracket, inside = text.partition("[")
    fields: dict[str, str | tuple[str, ...]] = {}
    channel, mark, rest = head.rpartition("::")
    if mark:
        if not _CHANNEL.fullmatch(channel):
            raise SpecError(f"{channel!r} is not a channel")
        fields["channel"] = channel
    name = _NAME.match(rest)
    if name is None:
        raise SpecError("it does not begin with the exact name of a package")
    fields.update(_version_and_build(rest[name.end() :]))
    if bracket:
        if not inside.endswith("]"):
            raise SpecError("text follows the closing bracket, or there is none")
        for key, value in _pairs(inside[:-1], conditional=conditional):
            if key in fields:
                raise SpecError(f"{key} is given twice")
            fields[key] = value
    return MatchSpec(name.group().lower(), fields)


def _version_and_build(text: str) -> dict[str, str]:
    """Parse what follows the name: `[operator]version[, ...] [build]` or `=version=build`."""
    rest = text.strip()
    if not rest:
        return {}
    if text[0] not in " \t=!<>~":
        raise SpecError(f"{rest!r} follows the name without a space")
    end = _expression(rest, 0, 0)
    version, build = rest[:end].rstrip(), rest[end:]
    if not build.strip():
        return {"version": _squeeze(version)}
    if build[0] == "=":
        build = build[1:]
    elif version[-1] in " \t" or build[0] not in " \t":
        raise SpecError(f"{build.strip()!r} is neither part of the version nor a build")
    build = build.strip()
    if not _BUILD.fullmatch(build):
        raise SpecError(f"{build!r} is not a build string")
    # Clients read `name=1.0=build` and `name =1.0 build` as exactly 1.0, not as 1.0.*.
    if version.startswith("=") and not version.startswith("==") and not _JOINT.search(version):
        version = version[1:]
    return {"version": _squeeze(version), "build": build}


def _squeeze(version: str) -> str:
    """Drop spaces; `==1.*` means `1.*` wherever it is understood, so write what is understood everywhere."""
    return _EXACT_GLOB.sub("", "".join(version.split()))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _expression(text: str, at: int, depth: int) -> int:
    """Return the end of the version expression that starts at `at`: terms joined by `,` (and) or `|` (or)."""
    if depth > _MAX_DEPTH:
        raise SpecError(f"parentheses nest deeper than {_MAX_DEPTH}")
    while True:
        at = _term(text, _skip(text, at), depth)
        after = _skip(text, at)
        if text[after : after + 1] not in {",", "|"}:
            return at
        at = after + 1


def _term(text: str, at: int, depth: int) -> int:
    if text[at : at + 1] == "(":
        end = _skip(text, _expression(text, at + 1, depth + 1))
        if text[end : end + 1] != ")":
            raise SpecError("a parenthesis is not closed")
        return end + 1
    operator = _OPERATOR.match(text, at)
    if operator:
        at = _skip(text, operator.end())
    operand = _OPERAND.match(text, at)
    word = operand.group() if operand else ""
    bound, star, more = word.partition("*")  # 1* is 1.*, and 1.*.* is the same again; but 1*.* is nothing
    if more and bound and not bound.endswith("."):
        raise SpecError(f"{word!r} is not a version")
    if bound or not star:
        problem = bound_problem(bound.removesuffix(".") if star else bound)
        if problem:
            raise SpecError(problem)
    elif operator and operator.group() not in {"=", "=="}:
        raise SpecError(f"{operator.group()} compares with a version, not with *")
    return at + len(word)


def version_spec_problem(text: str) -> str:
    """Say what keeps `text` from being a version expression; empty if nothing does."""
    try:
        end = _expression(text, 0, 0)
    except SpecError as error:
        return str(error)
    return "" if end == len(text) else f"{text[end:]!r} follows the version"


def _pairs(text: str, *, conditional: bool) -> list[tuple[str, str | tuple[str, ...]]]:
    """Parse what stands between the square brackets: `key=value` joined by commas."""
    found: list[tuple[str, str | tuple[str, ...]]] = []
    at = 0
    while at < len(text):
        key = _KEY.match(text, at)
        if key is None:
            raise SpecError(f"{text[at : at + 40]!r} is not key=value")
        value, at = _value(text, key.end())
        if key.group(1) in {part for part, _ in found}:
            raise SpecError(f"{key.group(1)} is given twice")
        found.append((key.group(1), _checked(key.group(1), value, conditional=conditional)))
        if at < len(text):
            if text[at] != "," or _skip(text, at + 1) == len(text):
                raise SpecError(f"{text[at : at + 40]!r} follows a value in the brackets")
            at = _skip(text, at + 1)
    return found


def _value(text: str, at: int) -> tuple[str | tuple[str, ...], int]:
    """Return one value, quoted, listed or bare, and where it ends."""
    mark = text[at : at + 1]
    if mark and mark in "\"'":
        end = text.find(mark, at + 1)
        if end < 0:
            raise SpecError("a quote is not closed")
        return text[at + 1 : end], end + 1
    if mark == "[":
        end = text.find("]", at)
        if end < 0:
            raise SpecError("a list is not closed")
        return tuple(_unquoted(word.strip()) for word in text[at + 1 : end].split(",")), end + 1
    bare = _BARE.match(text, at)
    if bare is None:
        raise SpecError("a key has no value")
    return bare.group(), bare.end()


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _checked(key: str, value: str | tuple[str, ...], *, conditional: bool) -> str | tuple[str, ...]:
    """Return a value in its one form, or refuse it by the rule of its key."""
    if key in _LISTS:
        words = value if isinstance(value, tuple) else (value,)
        for word in words:
            if not _LISTS[key].fullmatch(word):
                raise SpecError(f"{word!r} is not allowed in {key}")
        return words
    if isinstance(value, tuple):
        raise SpecError(f"{key} takes one value, not a list")
    if key == "version":
        problem = version_spec_problem(value)
        if problem:
            raise SpecError(problem)
        return _squeeze(value)
    if key == "when":
        if not conditional:
            raise SpecError("a condition must not hold another condition (CEP 43)")
        return _condition(value)
    if key not in _RULES or not _RULES[key].fullmatch(value):
        raise SpecError(f"{key}={value!r} is nothing that a record's spec may set")
    return value


# --- conditions (CEP 43) -----------------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    """Split a condition into `(`, `)` and words; square brackets and quotes keep a word together."""
    words: list[str] = []
    word, depth, quote = "", 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif depth and char in "\"'":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif not depth and char in " \t()":
            words += [word] if word else []
            words += [char] if char in "()" else []
            word = ""
            continue
        word += char
    return words + ([word] if word else [])


def _condition(text: str) -> str:
    """Check a condition and return it in one spelling: specs joined by `and` and `or`, grouped by parentheses.

    CEP 43: a version follows its name without a space. Builders write the space all the same; it is taken out.
    """
    written: list[str] = []
    for word in _words(text):
        if word[0] in "=<>!~" and written:
            written[-1] += word
        else:
            written.append(word)
    depth, want_spec = 0, True
    for word in written:
        if word in "()":
            depth += 1 if word == "(" else -1
            if want_spec != (word == "(") or not 0 <= depth <= _MAX_DEPTH:
                raise SpecError("a parenthesis in the condition stands where it must not")
        elif want_spec == (word in {"and", "or"}):
            raise SpecError(f"{word!r} in the condition stands where it must not")
        elif want_spec:
            _parse(word, conditional=False)
            want_spec = False
        else:
            want_spec = True
    if want_spec or depth:
        raise SpecError("the condition ends too early")
    return " ".join(written).replace("( ", "(").replace(" )", ")")
