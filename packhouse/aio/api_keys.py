"""Your own API keys, for asyncio: the functions of `packhouse.api_keys`, to be awaited."""

from packhouse import api_keys
from packhouse.api_keys import APIKey, APIKeyError
from packhouse.client.threads import threaded

__all__ = ["APIKey", "APIKeyError", "create", "get", "list", "revoke"]

list = threaded(api_keys.list)  # noqa: A001 - quilt3's own name for it
get = threaded(api_keys.get)
create = threaded(api_keys.create)
revoke = threaded(api_keys.revoke)
