"""Python loops around the compiled engine: epochs, early stopping, callbacks."""
