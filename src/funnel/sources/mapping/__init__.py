"""Any export becomes a company's folder, by a TOML file that says which column is which."""

from funnel.sources.mapping.importer import Report, convert

__all__ = ["Report", "convert"]
