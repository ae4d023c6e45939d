"""Validation of what users give, before any state changes: constructor arguments, and data."""
