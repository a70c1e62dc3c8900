"""The OpenSearch description: lets a browser search here from its address bar. Pure."""

from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from packhouse.ecosystems import Page
from packhouse.settings import Settings

PATH = "opensearch.xml"
"""Where it lies, at the root of the site; pages name it with `rel="search"`."""

_SHORT, _LONG = 16, 48
"""Characters that OpenSearch 1.1 allows in a short and in a long name."""

_TEMPLATE = """\
<?xml version="1.0" encoding="UTF-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
<ShortName>{short}</ShortName>
<LongName>{long}</LongName>
<Description>Conda packages, Python packages and build products of {host}</Description>
<InputEncoding>UTF-8</InputEncoding>
<Image width="16" height="16" type="image/svg+xml">{url}/static/packhouse.svg</Image>
<Url type="text/html" template="{url}/search/?q={{searchTerms}}"/>
<Url type="application/opensearchdescription+xml" rel="self" template="{url}/opensearch.xml"/>
</OpenSearchDescription>
"""


def opensearch(settings: Settings) -> Page | None:
    """Render `opensearch.xml`; None without `base_url`, since browsers take absolute addresses only."""
    if not settings.base_url:
        return None
    url = settings.base_url.rstrip("/")
    host = urlsplit(url).netloc
    # A browser keeps one search per short name, so two servers had better not share one.
    body = _TEMPLATE.format(
        short=_xml(host if len(host) <= _SHORT else "Packhouse"),
        long=_xml(f"Packhouse at {host}"[:_LONG]),
        host=_xml(host),
        url=_xml(url),
    )
    return Page(PATH, body.encode())


def _xml(text: str) -> str:
    return escape(text, {'"': "&quot;"})
