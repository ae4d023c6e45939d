"""What kernels are built on: decorator, compile cache, LLVM intrinsics, matrix products.

The only folder that imports Numba and llvmlite.
"""
