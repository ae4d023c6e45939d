"""A network in memory: from parameters and tables to calls of the compiled engine."""
