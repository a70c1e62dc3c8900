"""What the front page of a fresh server says, pasted into a shell of a newcomer, works."""

import shutil
import subprocess
import sys

import pytest
from e2e_support import clean_environment, serving
from site_pages_support import Reader

from packhouse.names import ChannelName
from packhouse.pages.frame import AT_ROOT
from packhouse.pages.site import ChannelLine, site_page
from packhouse.settings import Settings

pytestmark = pytest.mark.e2e


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_first_steps_work_as_they_are_pasted(tmp_path):
    """But for conda's: rattler-build is no package of Python; its request is tested with the library of its makers."""
    with serving(tmp_path) as server:
        settings = Settings(data=server.data, base_url=f"http://127.0.0.1:{server.port}")
        page = Reader(site_page([ChannelLine(name=ChannelName("main"))], (), settings, frame=AT_ROOT))
        said = page.copied()
        key = said["the line that sets the key"].replace("pkh-YOUR-KEY", server.key)
        script = "\n".join(
            (
                f"set -e\n{key}",
                said["the lines to make the file"],
                said["the lines to upload the file"],
                said["the curl command"],
                said["the lines to make the Python package"],
                said["the lines to upload the Python package"],
                said["the pip command"].replace("pip install", "pip install --target installed"),
                "PYTHONPATH=installed python -c 'import hello_packhouse; print(hello_packhouse.hello())'",
            )
        )
        home = clean_environment(tmp_path / "newcomer", UV_PYTHON=sys.executable)
        work = tmp_path / "work"
        work.mkdir()
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=work,
            env=home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.rstrip().endswith("Hello from hello-packhouse!")
        assert "hello\n" in done.stdout
