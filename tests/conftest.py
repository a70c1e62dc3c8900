"""What every test starts from: none of the settings of the shell that started it."""

import os
import sys

import pytest
from template_support import keep_in

for _name in [name for name in os.environ if name.startswith("PACKHOUSE_")]:
    del os.environ[_name]

# Packhouse's programs are started hundreds of times. Where Python may keep no bytecode, each start compiles all of
# Packhouse anew, which is half of what it costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def _templates(tmp_path_factory):
    """A folder for what is made once and copied by many tests."""
    keep_in(tmp_path_factory.mktemp("templates"))
