"""The whole upload, with no HTTP in it: stage, inspect, verify, claim, place, commit.

The daemon, the inbox and `packhouse import` all take this one way in.
"""
