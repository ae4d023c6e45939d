"""Faults that benchmarks/faults.py injects: one function a row, one file a group of rows."""
