"""The compiled engine: parts, called by address, composed to passes over chunks of rows.

It imports no part. A network, its optimizer, a chunk of rows and the scratch memory come as
NamedTuples of contiguous vectors and int64 numbers, so that there is one signature for each dtype,
whatever the hyperparameters.
"""
