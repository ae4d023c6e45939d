"""Columns of users' tables, and the encoders that turn them into inputs of a network."""
