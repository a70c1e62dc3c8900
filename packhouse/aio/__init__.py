"""The client for asyncio: the functions of `packhouse`, with the same arguments, results and errors, to be awaited.

    import asyncio
    from packhouse import aio

    asyncio.run(aio.list_packages("http://localhost:8080/main"))

Each call is the blocking function in a thread of its own (why: `packhouse.client.threads`). A cancelled call ends its
connections at once and leaves nothing half-done on this disk; a server may still do what it was told before. `progress`
is called in that thread. `login` asks a person, and cannot be ended while it waits for the answer.
"""

from packhouse.aio import api_keys
from packhouse.client import account, changing, listing, pulling
from packhouse.client.session import clear_api_key, login_with_api_key
from packhouse.client.threads import threaded

__all__ = [
    "api_keys",
    "clear_api_key",
    "config",
    "delete",
    "delete_package",
    "list_package_versions",
    "list_packages",
    "logged_in",
    "login",
    "login_with_api_key",
    "logout",
    "pull",
    "push",
    "search",
    "unyank",
    "wait",
    "yank",
]

config = threaded(account.config)
login = threaded(account.login)
logged_in = threaded(account.logged_in)
logout = threaded(account.logout)
list_packages = threaded(listing.list_packages)
list_package_versions = threaded(listing.list_package_versions)
search = threaded(listing.search)
push = threaded(changing.push)
pull = threaded(pulling.pull)
delete = threaded(changing.delete)
delete_package = threaded(changing.delete_package)
yank = threaded(changing.yank)
unyank = threaded(changing.unyank)
wait = threaded(changing.wait)
