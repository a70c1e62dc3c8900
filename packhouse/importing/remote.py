"""Read another simple index over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from packhouse import __version__
from packhouse.client.connection import Unreachable, cause
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import Malformed
from packhouse.importing import simple
from packhouse.importing.items import Body, Item
from packhouse.model import Ecosystem

_CHUNK = 1 << 18
_PAGE_LIMIT = 256 << 20
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_RETRIES = urllib3.Retry(
    total=5, connect=3, redirect=5, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504)
)
_OK = 200


class SimpleIndex:
    """A simple index at a URL such as `https://host/simple/`; name and password may stand in it."""

    title = "a simple index"
    total: int | None = None

    def __init__(self, url: str, *, connections: int = 4) -> None:
        parts = urlsplit(url)
        if not parts.hostname or parts.query or parts.fragment:
            raise Malformed(f"{url!r} is no address of a simple index: give it as https://HOST/simple/")
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((parts.scheme, host, f"{parts.path.rstrip('/')}/", "", ""))
        self._origin = (parts.scheme, host)
        self._secret = (
            make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
            if parts.username
            else {}
        )
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=_TIMEOUT,
            retries=_RETRIES,
            headers={"User-Agent": f"packhouse/{__version__}"},
        )

    def items(self) -> Iterator[Item]:
        """Yield every file of every project, page by page.

        Raises:
            NoSimpleIndex: a page is something else.
            Unreachable: the server does not answer.
        """
        body, url, is_json = self._page(self._url)
        recognises = FORMATS[Ecosystem.PYPI].recognises
        for project in dict.fromkeys(simple.projects(body, url, is_json=is_json)):
            page, where, as_json = self._page(project)
            for listed in simple.files(page, where, is_json=as_json):
                # Eggs, installers and signatures of old times are listed too.
                if recognises(listed.name):
                    yield Item(
                        name=listed.name,
                        where=listed.url,
                        ecosystem=Ecosystem.PYPI,
                        body=self._body(listed.url),
                        size=listed.size,
                        digests=listed.digests,
                        uploaded_us=listed.uploaded_us,
                        yanked=listed.yanked,
                    )

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return nothing: Python has none."""
        return {}

    def _page(self, url: str) -> tuple[bytes, str, bool]:
        with self._open(url, {"Accept": simple.ACCEPT}) as answer:
            body = answer.read(_PAGE_LIMIT)
            if answer.status != _OK:
                raise Unreachable(f"{url} answers {answer.status} {answer.reason or ''}".rstrip())
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return body, _final(url, answer), kind.endswith("json")

    def _body(self, url: str) -> Body:
        @contextmanager
        def opened() -> Iterator[Iterator[bytes]]:
            # Encodings would change the bytes: what is stored is what the file is.
            with self._open(url, {"Accept-Encoding": "identity"}) as answer:
                if answer.status != _OK:
                    raise Unreachable(f"{url} answers {answer.status} {answer.reason or ''}".rstrip())
                yield answer.stream(_CHUNK, decode_content=False)

        return opened

    @contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            raise Malformed(f"{url[:200]!r} is no address that can be fetched")
        # The password goes to the index's own host only; urllib3 drops it when it is sent on to another one.
        secret = self._secret if (parts.scheme, parts.netloc) == self._origin else {}
        try:
            answer = self._pool.request("GET", url, headers={**headers, **secret}, preload_content=False)
        except HTTPError as error:
            raise Unreachable(f"{url} does not answer: {cause(error)}; is it running there?") from error
        try:
            yield answer
        except HTTPError as error:
            raise Unreachable(f"{url} broke off: {cause(error)}") from error
        finally:
            answer.release_conn()
            answer.close()


def _final(url: str, answer: urllib3.BaseHTTPResponse) -> str:
    """Return the URL that answered in the end: relative links start there."""
    for step in answer.retries.history if answer.retries else ():
        url = urljoin(url, step.redirect_location or "")
    return url
