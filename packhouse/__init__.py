"""Packhouse: conda channels, Python indexes and build products as one tree of plain files.

This package is the domain: words, formats, the store and the client. It holds no HTTP server.
"""

__version__ = "0.1.0"
