"""Snapshots: notebooks and a plan become `reports/<as_of>/`, whole or not at all.

The only part of the package that knows Papermill.
"""
