"""The compiled engine: passes over chunks of rows, put together from parts called by address.

It imports no part. What it needs comes as NamedTuples of contiguous vectors and numbers
(structs.py), so that there is one signature for each dtype, whatever the hyperparameters.

A chunk is cut into minibatches, and each goes through the passes: forward, backward, update. A pass
is a sequence of phases, a phase a set of blocks that threads claim (scheduler.py), and plan.py
decides what the blocks are. Arguments mean the same in all kernels:

    run, batch      references to a Run and a Minibatch
    layer           number of a layer, from 0
    blocks, number  a partition, and the number of one of its blocks
    first, last     samples ``first:last`` of the minibatch
    start, stop     units ``start:stop`` of a layer
"""
