"""Every refusal Packhouse makes: one tree, each class with a stable `code`.

A refusal is a value: data first, sentence derived from it. The sentence says what is wrong, what was
claimed and what to do next. Which HTTP status a refusal gets is written once, in `uploadd/problems.py`;
which exit code, in `packhouse/__main__.py`. Nothing here knows either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class PackhouseError(Exception):
    """Base of all errors that a person is meant to read."""

    code: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference between what an uploader said and what the bytes say."""

    field: str
    claimed: object
    observed: object

    def __str__(self) -> str:
        return f"{self.field} is {self.observed}, but the upload claimed {self.claimed}"


# --- the request is malformed ------------------------------------------------------------------------------


class Malformed(PackhouseError):
    """The request itself cannot be understood: a missing field, a wrong encoding, an unknown action."""

    code = "malformed"


class BadName(Malformed):
    """A name failed the safety gate; nothing was looked up and nothing was stored."""

    code = "bad-name"

    def __init__(self, kind: str, name: str, rule: str) -> None:
        self.kind, self.name, self.rule = kind, name, rule
        shown = name if len(name) <= 80 else name[:77] + "..."
        super().__init__(f"{shown!r} is not a valid {kind}: {rule}")


class EncodedBody(Malformed):
    """The body is compressed in transit; packages are compressed already, and bombs hide there."""

    code = "encoded-body"


class Withdrawn(Malformed):
    """An operation that clients of old may still ask for, and that is gone for good."""

    code = "withdrawn"


# --- the bytes are not what they should be -----------------------------------------------------------------


class Unprocessable(PackhouseError):
    """The request is well formed, but what it carries is refused."""

    code = "unprocessable"


class BadArchive(Unprocessable):
    """The file is not a readable, unambiguous archive of its kind."""

    code = "bad-archive"

    def __init__(self, filename: str, reason: str) -> None:
        self.filename, self.reason = filename, reason
        super().__init__(f"{filename} is refused: {reason}")


class BadMetadata(Unprocessable):
    """The archive opens, but what it says of itself breaks a rule; `problems` names every one."""

    code = "bad-metadata"

    def __init__(self, filename: str, problems: Sequence[str]) -> None:
        self.filename, self.problems = filename, tuple(problems)
        super().__init__(f"{filename} is refused: " + "; ".join(self.problems))


class BadHotfix(Unprocessable):
    """A subdir's patch instructions cannot be understood; its indexes stay as they are until they can."""

    code = "bad-hotfix"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"patch_instructions.json cannot be applied: {'; '.join(self.problems)}; the indexes stay as they are "
            "until the file is mended or removed"
        )


class ClaimMismatch(Unprocessable):
    """The bytes are not what the uploader said they were; `mismatches` names every difference."""

    code = "claim-mismatch"

    def __init__(self, filename: str, mismatches: Sequence[Mismatch]) -> None:
        self.filename, self.mismatches = filename, tuple(mismatches)
        super().__init__(f"{filename} is refused: " + "; ".join(map(str, self.mismatches)))


class Burnt(Unprocessable):
    """The name was deleted once; a deleted name is never used again."""

    code = "name-burnt"

    def __init__(self, channel: str, path: str) -> None:
        self.channel, self.path = channel, path
        # Never the words "already exist": poetry and pdm would skip the file and report success.
        super().__init__(
            f"{path} was deleted from {channel}, and a deleted name stays retired: "
            "raise the version or build number and upload again"
        )


# --- the name is taken -------------------------------------------------------------------------------------


class Exists(PackhouseError):
    """The name is taken by other bytes."""

    code = "exists"

    def __init__(self, channel: str, path: str, *, overwrite_hint: str = "") -> None:
        self.channel, self.path = channel, path
        hint = overwrite_hint or "raise the version or build number and upload again"
        # The first words are what poetry, pdm and rattler-build look for.
        super().__init__(f"File already exists: {path} in {channel} has other bytes; {hint}")


class ProductExists(PackhouseError):
    """A product of that name is there, or was: whoever makes one must not get what others put there."""

    code = "product-exists"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the product name {name} is taken, or was once; choose another name")


class VersionExists(PackhouseError):
    """A version of a product is there already, whatever its bytes."""

    code = "version-exists"

    def __init__(self, product: str, version: str) -> None:
        self.product, self.version = product, version
        super().__init__(
            f"version {version} of {product} is there already, and a version never changes: "
            "raise the version and upload again"
        )


class ChannelExists(PackhouseError):
    """A channel of that name is there already."""

    code = "channel-exists"

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel} is there already; choose another name or use it as it is")


class OverwriteForbidden(PackhouseError):
    """`force` was asked for, but the channel keeps its files unchanged."""

    code = "overwrite-forbidden"

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(
            f"channel {channel} does not allow overwriting: leave out force and raise the build number, "
            f"or let an admin run `packhouse channel set {channel} --overwrite`"
        )


# --- it is not there ---------------------------------------------------------------------------------------


class NotFound(PackhouseError):
    """The thing asked for does not exist, or the caller may not know that it does."""

    code = "not-found"

    def __init__(self, what: str, name: str, hint: str = "") -> None:
        self.what, self.name = what, name
        super().__init__(f"there is no {what} {name}" + (f"; {hint}" if hint else ""))


# --- who is asking -----------------------------------------------------------------------------------------


class Unauthenticated(PackhouseError):
    """No credentials, or credentials that nobody issued."""

    code = "unauthenticated"


class Forbidden(PackhouseError):
    """Known caller, missing right."""

    code = "forbidden"

    def __init__(self, who: str, action: str, where: str) -> None:
        self.who, self.action, self.where = who, action, where
        super().__init__(
            f"{who} may not {action} {where}: ask an admin for the right, or use a key that has it"
        )


class RegistrationClosed(PackhouseError):
    """Accounts are made by admins only."""

    code = "registration-closed"

    def __init__(self) -> None:
        super().__init__("this server does not let people register themselves: ask an admin for an account")


class AccountExists(PackhouseError):
    """The name of an account or a group is taken, if only in other letter case."""

    code = "account-exists"

    def __init__(self, kind: str, name: str, taken: str) -> None:
        self.kind, self.name = kind, name
        super().__init__(f"the {kind} name {name} is taken by {taken}; choose another one")


class NoUpstream(Unprocessable):
    """Packages were to be fetched from another index, and none is configured."""

    code = "no-upstream"

    def __init__(self) -> None:
        super().__init__(
            "this server has no upstream configured, so nothing is fetched: upload the packages, or let an admin take "
            "them in with `packhouse import`"
        )


class WeakPassword(Unprocessable):
    """The password is too short, too long or one of those that are tried first."""

    code = "weak-password"


class LastAdmin(Unprocessable):
    """Nobody could administer the server after this."""

    code = "last-admin"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the last admin who can sign in: make another admin first, then this can be done"
        )


class CrossSite(PackhouseError):
    """A change was asked for with a browser's session, but not from a page of this server."""

    code = "cross-site"


class TlsNeeded(PackhouseError):
    """A browser wants to sign in over plain http, where it would not keep the session's cookie."""

    code = "tls-needed"

    def __init__(self) -> None:
        super().__init__(
            "signing in needs TLS, and this request came over plain http, where browsers do not keep the session's "
            "cookie: use the https address, or http://localhost on the server itself; if a proxy in front does the "
            "TLS, let its operator set base_url to the https address"
        )


class RateLimited(PackhouseError):
    """Too many requests; `retry_after_s` is when the next one is answered, in whole seconds."""

    code = "rate-limited"

    def __init__(self, what: str, *, limit: int, retry_after_s: int) -> None:
        self.limit, self.retry_after_s = limit, retry_after_s
        super().__init__(
            f"too many {what}: at most {limit} are answered; try again in {retry_after_s} seconds, "
            "or sign in with an API key"
        )


# --- limits and state --------------------------------------------------------------------------------------


class TooLarge(PackhouseError):
    """More bytes than this server accepts; sizes in bytes."""

    code = "too-large"

    def __init__(self, what: str, size: int | None, limit: int) -> None:
        self.what, self.size, self.limit = what, size, limit
        is_ = f"is {size} bytes" if size is not None else "goes on past the limit"
        super().__init__(f"{what} {is_}; this server accepts at most {limit} bytes")


class TooSlow(PackhouseError):
    """The body arrived slower than the least rate; nothing was kept."""

    code = "too-slow"


class StorageFull(PackhouseError):
    """The disk has no room for another upload."""

    code = "storage-full"


class Unavailable(PackhouseError):
    """The store cannot do this now; nothing was changed; trying again later is right."""

    code = "unavailable"


class Busy(Unavailable):
    """Another process holds what this operation needs."""

    code = "busy"


# --- the installation --------------------------------------------------------------------------------------


class BadSettings(PackhouseError):
    """A setting is unknown, of the wrong type or out of range."""

    code = "bad-settings"


class NotAPackhouse(PackhouseError):
    """The directory is not a data directory, or belongs to another user."""

    code = "not-a-packhouse"


class NginxMissing(PackhouseError):
    """No nginx was found."""

    code = "nginx-missing"


class AssetMissing(PackhouseError):
    """A file that belongs to Packhouse itself is not there: the installation is broken."""

    code = "asset-missing"
