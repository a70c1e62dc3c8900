"""The indexer: a static-site generator that publishes whatever the catalog says has changed."""
