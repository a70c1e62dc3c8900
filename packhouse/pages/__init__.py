"""Pages for people: pure renderers, plain values in and HTML (or a feed, a badge, a search shard) out.

The indexer renders them for everyone, into the tree; the daemon renders some of them for those who may see more. What
may be named is decided by whoever calls.
"""
