"""GraphQL over the catalog: one schema, bounded before it is executed.

`schema.py` is the contract as text, `limits.py` decides what is too much, `nodes.py` and `changes.py` answer the
fields, `execution.py` puts them together with graphql-core. Only `late.py` may be imported by the rest of the daemon:
the library costs more at the start than everybody should pay who never asks a query.
"""
