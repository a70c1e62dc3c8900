"""What `import packhouse` loads and offers: every name, signature and error of the Python client."""

import inspect
import subprocess
import sys
from dataclasses import fields

import pytest

import packhouse


def loaded_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_import_costs_nothing():
    loaded = loaded_after("import packhouse")

    assert {name for name in loaded if name.startswith("packhouse")} == {"packhouse"}
    assert not loaded & {"urllib3", "aiohttp", "sqlalchemy", "jinja2", "orjson", "click", "asyncio", "json"}


def test_using_all_of_it_loads_neither_server_nor_catalog_nor_templates():
    loaded = loaded_after("import packhouse\nfor name in packhouse.__all__: getattr(packhouse, name)")

    assert not loaded & {"aiohttp", "sqlalchemy", "alembic", "jinja2", "click", "rich", "cryptography"}
    assert not {name for name in loaded if name.startswith(("packhouse.catalog", "packhouse.intake"))}
    assert "urllib3" in loaded  # the comparison is not blind


def test_every_name_is_there_and_no_other():
    assert {*packhouse.__all__} <= {*dir(packhouse)}
    for name in packhouse.__all__:
        assert getattr(packhouse, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lost_packages'"):
        packhouse.lost_packages  # noqa: B018 - the attribute is the test


def test_the_signatures_are_those_of_the_reference():
    """Name and order of what quilt3's callers give; ours may take more by keyword."""
    reference = {
        packhouse.config: ["catalog_url", "config_values"],
        packhouse.delete_package: ["name", "registry", "top_hash"],
        packhouse.list_package_versions: ["name", "registry"],
        packhouse.list_packages: ["registry"],
        packhouse.logged_in: [],
        packhouse.login: [],
        packhouse.login_with_api_key: ["key"],
        packhouse.clear_api_key: [],
        packhouse.logout: [],
        packhouse.search: ["query", "limit"],
        packhouse.api_keys.list: ["name", "fingerprint", "status"],
        packhouse.api_keys.get: ["id"],
        packhouse.api_keys.create: ["name", "expires_in_days"],
        packhouse.api_keys.revoke: ["id", "secret"],
    }
    for function, names in reference.items():
        assert list(inspect.signature(function).parameters)[: len(names)] == names, function
        assert function.__doc__
    assert inspect.signature(packhouse.search).parameters["limit"].default == 10
    assert inspect.signature(packhouse.api_keys.create).parameters["expires_in_days"].default == 90
    assert [field.name for field in fields(packhouse.APIKey)] == (
        ["id", "name", "fingerprint", "created_at", "expires_at", "last_used_at", "status", "user_email"]
    )


def test_every_refusal_of_the_client_is_of_our_own_tree():
    kinds = [
        getattr(packhouse, name) for name in packhouse.__all__ if inspect.isclass(getattr(packhouse, name))
    ]
    refusals = [kind for kind in kinds if issubclass(kind, Exception)]

    assert len(refusals) > 10
    assert all(issubclass(kind, packhouse.PackhouseError) for kind in refusals)
