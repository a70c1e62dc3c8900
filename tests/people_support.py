"""Views to render pages for people from: a rich one, and one in which everything is hostile; and a strict reader."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import html5lib

from packhouse.ecosystems.view import (
    Check,
    Dependency,
    Diff,
    FileView,
    PackageView,
    Readme,
    Requirements,
    VersionView,
)
from packhouse.model import Channel, Event, EventKind
from packhouse.names import ChannelName
from packhouse.pages.package import Dependents, package_pages
from packhouse.settings import Settings

DAY = 86_400_000_000
NOON = 1_795_255_200_000_000
"""2026-11-21 10:00:00 UTC."""

CHANNEL = Channel(name=ChannelName("main"), created_us=NOON - 400 * DAY)
PRIVATE = Channel(name=ChannelName("team"), private=True, place="private")
SETTINGS = Settings(data=Path("/nowhere"), base_url="https://packages.example:8443/")
RELATIVE = Settings(data=Path("/nowhere"))

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&{{7*7}}{channel}\x08\x00\ufffe\u0085"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def file_view(filename="flask-3.1.0-py3-none-any.whl", **more):
    values = {
        "path": f"packages/flask/{filename}",
        "filename": filename,
        "kind": "Wheel",
        "size": 102_979,
        "sha256": digest(filename),
        "uploaded_us": NOON,
        "uploaded_by": "user:ann",
        "version": "3.1.0",
        "target": "Python 3, any platform",
        "platform": "any",
        "sidecars": [(".metadata", f"packages/flask/{filename}.metadata")],
        "members": [("flask/__init__.py", 2619), ("flask/app.py", 60_123)],
        "members_total": 2,
        "checks": [
            Check(outcome="verified", text="The SHA-256 is the one that the uploader named."),
            Check(outcome="verified", text="Name and version inside the archive are those of the file name."),
        ],
    }
    return FileView(**values | more)


def versions(count, *, prerelease_every=0):
    return [
        VersionView(
            version=f"3.{number}.0" + ("rc1" if prerelease_every and number % prerelease_every == 0 else ""),
            uploaded_us=NOON - (count - number) * DAY,
            files=2,
            size=780_000 + number,
            prerelease=bool(prerelease_every and number % prerelease_every == 0),
        )
        for number in range(count, 0, -1)
    ]


def view(**more):
    values = {
        "ecosystem": "pypi",
        "name": "Flask",
        "version": "3.1.0",
        "summary": "A simple framework for building complex web applications.",
        "install": {
            "pip": "pip install --index-url {channel}/simple/ Flask==3.1.0",
            "uv": "uv pip install --index-url {channel}/simple/ Flask==3.1.0",
        },
        "facts": [("Requires Python", ">=3.9"), ("License", "BSD-3-Clause"), ("Author", "Ann Example")],
        "tags": ["Framework :: Flask", "web"],
        "links": [("Documentation", "https://flask.example/docs/"), ("Contact", "mailto:ann@flask.example")],
        "readme": Readme(text="# Flask", html="<h1>Flask</h1>\n<p>Small, and <em>yours</em>.</p>"),
        "versions": versions(3),
        "files": [
            file_view(),
            file_view(
                "flask-3.1.0.tar.gz", kind="Source distribution", target="", platform="source", sidecars=()
            ),
        ],
        "requirements": [
            Requirements(
                title="Runtime",
                items=[
                    Dependency(text="Werkzeug>=3.1", package="werkzeug"),
                    Dependency(text="Jinja2>=3.1.2", package="jinja2"),
                    Dependency(
                        text="importlib-metadata>=3.6",
                        package="importlib-metadata",
                        when='python_version < "3.10"',
                    ),
                ],
            ),
            Requirements(title="Extra: dotenv", items=[]),
        ],
        "diff": Diff(
            since="3.0.3",
            requirements_added=["Werkzeug>=3.1"],
            requirements_removed=["Werkzeug>=3.0.0"],
            members_added=["flask/sansio/app.py"],
            members_compared=True,
        ),
    }
    return PackageView(**values | more)


def hostile_view(**more):
    """Everything that a stranger chooses is an attack; names and paths as no gate would let them through."""
    file = file_view(
        f"a{HOSTILE}/b.whl",
        path=f"packages/{HOSTILE}",
        kind=HOSTILE,
        uploaded_by=HOSTILE,
        target=HOSTILE,
        platform=HOSTILE,
        build=HOSTILE,
        yanked=HOSTILE,
        warnings=[HOSTILE],
        sidecars=[(HOSTILE, "javascript:alert(3)")],
        members=[(HOSTILE, 1)],
        checks=[Check(outcome="warning", text=HOSTILE)],
    )
    values = {
        "name": HOSTILE,
        "version": HOSTILE,
        "summary": HOSTILE,
        "install": {HOSTILE: "pip install {channel} " + HOSTILE},
        "facts": [(HOSTILE, HOSTILE)],
        "tags": [HOSTILE],
        "links": [(HOSTILE, address) for address in NO_LINKS],
        "marks": [("yanked", HOSTILE), (HOSTILE, HOSTILE)],
        "readme": Readme(text=HOSTILE),
        "warnings": [HOSTILE],
        "versions": [VersionView(version=HOSTILE, uploaded_us=NOON, files=1, size=1, yanked=HOSTILE)],
        "files": [file],
        "requirements": [
            Requirements(
                title=HOSTILE, items=[Dependency(text=HOSTILE, package="javascript:alert(4)", when=HOSTILE)]
            )
        ],
        "diff": Diff(
            since=HOSTILE,
            requirements_added=[HOSTILE],
            requirements_removed=[HOSTILE],
            members_added=[HOSTILE],
            members_removed=[HOSTILE],
            members_compared=True,
        ),
    }
    return view(**values | more)


NO_LINKS = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "//evil.example/",
    "/etc/passwd",
    "../../other/",
    "file:///etc/passwd",
    "https://",
    "https://[",
    "https://a b.example/",
    'https://a.example/"onmouseover="alert(1)',
    "https:\\\\a.example",
    "https:javascript:alert(1)",
    "",
]


def event(serial, kind=EventKind.UPLOAD, **more):
    values = {
        "channel": ChannelName("main"),
        "serial": serial,
        "kind": kind,
        "path": "packages/flask/flask-3.1.0.tar.gz",
        "sha256": digest("x"),
        "by": "user:ann",
        "at_us": NOON + serial * 1_000_000,
        "origin": "203.0.113.9",
    }
    return Event(**values | more)


def parsed(body):
    """Return a page's tree; fails on anything that the HTML standard calls an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(body.decode())


def text_of(element):
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip()


def by_id(tree, name):
    (found,) = (element for element in tree.iter() if element.get("id") == name)
    return found


def check_page(page):
    """Parse one page and check what holds for each: addresses, ids, no inline script or style. Returns its tree."""
    tree = parsed(page.body)
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]
        assert element.tag != "script" or (element.get("src") and not element.text)
        for name in ("href", "src", "action"):
            if (address := element.get(name)) is not None:
                _check_address(page.path, address, element, ids)
        for name in ("aria-labelledby", "for"):
            assert element.get(name) is None or element.get(name) in ids
    return tree


def _check_address(path, address, element, ids):
    scheme = urlsplit(address).scheme
    if scheme:
        assert scheme in ("http", "https", "mailto"), address
        assert element.tag == "a", address
        assert element.get("rel") == "nofollow noopener ugc", address
    elif address.startswith("#"):
        assert address[1:] in ids, address
    else:
        assert not address.startswith("/"), address
        # Never above the site's root, however the page is deep.
        base = "https://here.example/" + "main/" + re.sub(r"[^/]+", "x", path)
        depth = base.count("/") - 3
        assert address.count("../") <= depth, address
        assert urlsplit(urljoin(base, address)).hostname == "here.example", address


def package(shown, **more):
    """Everything that stands in a package's folder, by path."""
    values = {
        "channel": CHANNEL,
        "key": "flask",
        "settings": SETTINGS,
        "readers": "everyone",
        "existing": {"werkzeug", "jinja2"},
        "released": [line.version for line in shown.versions] + [shown.version],
        "dependents": Dependents(["flask-login"], 1),
        "events": [event(7), event(9, EventKind.YANK, note="broken")],
        "kin": [("conda", "flask")],
    }
    rendered = package_pages(shown, **values | more)
    return {page.path: page for page in rendered.leaves}


def package_page(shown=None, **more):
    """The tree of a package's page, checked."""
    return check_page(package(shown or view(), **more)["pypi/flask/index.html"])
