"""Adopt what another server, or a folder, already holds: readers of sources, and the way in.

A reader yields `Item`s; `adopt` sends each through the same intake as an upload. A new kind of source is one
file with a reader, and a line in `detect`.
"""
