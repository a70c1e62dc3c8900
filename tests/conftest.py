"""What every test starts from: none of the settings of the shell that started it."""

import os

for _name in [name for name in os.environ if name.startswith("PACKHOUSE_")]:
    del os.environ[_name]
