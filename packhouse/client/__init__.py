"""Talk to a Packhouse over HTTP: what the commands `push`, `delete`, `yank`, `reindex` and the Python client use."""

from packhouse.client.connection import Answer, Server, ServerRefused, Unreachable
from packhouse.client.uploads import Outcome, Parcel, Pushed, pack, push

__all__ = [
    "Answer",
    "Outcome",
    "Parcel",
    "Pushed",
    "Server",
    "ServerRefused",
    "Unreachable",
    "pack",
    "push",
]
