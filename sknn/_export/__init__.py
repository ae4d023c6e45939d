"""Fitted networks in other formats; see ``export.py``."""
