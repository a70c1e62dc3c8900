"""The APIs. One file each, exporting `ROUTES`; siblings never import each other."""
