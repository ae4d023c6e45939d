"""What users can swap: one file for each kind of part, its kernels beside its registry."""
