"""The upload daemon: authenticates and takes in uploads, and answers what depends on who asks.

The only server-side user of aiohttp. It never imports `indexer`; the two meet in the store.
"""
