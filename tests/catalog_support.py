"""Small values and rules for tests of the catalog."""

from packhouse.digest import digest
from packhouse.model import Area, Ecosystem, Observed, Verified
from packhouse.names import ChannelName, Filename


class PlainRules:
    """A format's rules, reduced to what the catalog asks."""

    def newest(self, versions):
        return max(versions)

    def in_order(self, versions):
        return sorted(versions)

    def requires(self, record):
        return record.get("requires", ())

    def mentions(self, record):
        return record.get("requires", ())

    def areas(self, artifact, *, first_or_last):
        return {
            Area(artifact.channel, artifact.ecosystem, "index", artifact.package): 0.0,
            Area(artifact.channel, artifact.ecosystem, "root"): 0.0 if first_or_last else 5.0,
        }


RULES = PlainRules()


def verified(name="a", version="1", body=b"bytes", channel="main", sidecars=None, summary=""):
    """A Python file that passed every check."""
    filename = Filename(f"{name}-{version}.whl")
    return Verified(
        channel=ChannelName(channel),
        ecosystem=Ecosystem.PYPI,
        path=f"packages/{name}/{filename}",
        digests=digest([body]),
        observed=Observed(
            filename=filename,
            package=name,
            version=version,
            directory=f"packages/{name}",
            record={"summary": summary, "name": name.title()},
            details={"members": [filename]},
            sidecars=sidecars or {},
            warnings=("odd",),
        ),
    )


def upload(catalog, item, by="ci", token="t", **kwargs):
    """Claim and commit at once."""
    ticket = catalog.artifacts.claim(item, by=by, token=token, lease_s=60, **kwargs)
    return catalog.artifacts.commit(ticket, RULES)
