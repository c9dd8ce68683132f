"""Imports: exports of other systems become a company's folder."""
