"""How Numba compiles kernels: by its own passes, with shortcuts that save most of the time.

Numba optimizes each function and emits machine code for it, and does so again when the function is
linked into its caller. But machine code is needed only of roots, the kernels that are entered from
outside: from Python or by address. So functions that only kernels call stay as they are until they
are linked into a root, which is then optimized as a whole.

Passes are left out for which kernels have no use, such as those that rewrite array expressions,
annotate listings, and find out where variables end, which matters to reference counts only.
"""

import ctypes
import functools

from llvmlite import binding
from numba import _dynfunc
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, Flags
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass

# ---- options -----------------------------------------------------------------------------------


class _SharedFlags(Flags):
    """Numba's options of a function, of which there is one object for all functions with the same.

    Numba looks up implementations by these options, a hundred times for each line of a kernel, and
    would compare them one by one.
    """

    def __eq__(self, other):
        return self is other if isinstance(other, _SharedFlags) else super().__eq__(other)

    def __hash__(self):
        return _hash_of_flags()

    def copy(self):
        """Return the object itself, which is never changed."""
        return self


@functools.cache
def _hash_of_flags():
    return hash(Flags())


_shared_flags = []


def _share(flags):
    """Return the shared flags that equal ``flags``."""
    for known in _shared_flags:
        if known.values() == flags.values():
            return known
    _shared_flags.append(_SharedFlags(flags))
    return _shared_flags[-1]


# ---- libraries: the LLVM modules of a function ---------------------------------------------------


class _Library(JITCodeLibrary):
    def _optimize_functions(self, ll_module):
        """Only set the data layout: functions are optimized with their root."""
        ll_module.data_layout = self._codegen._data_layout


class _LinkedLibrary(_Library):
    """A function that is optimized and emitted only as a part of roots."""

    @property
    def callees(self):
        """Libraries of the functions that it calls."""
        return self._linking_libraries

    def finalize(self):
        """Leave the module as it is."""
        self._finalized = True

    def get_pointer_to_function(self, name):
        """Return 0: there is no machine code."""
        return 0


class _RootLibrary(_Library):
    """A kernel that is entered from outside, with all functions that it calls."""

    def add_linking_library(self, library):
        """Add a library, and those of the functions that it calls."""
        if library not in self._linking_libraries:
            super().add_linking_library(library)
            if isinstance(library, _LinkedLibrary):
                for callee in library.callees:
                    self.add_linking_library(callee)

    def serialize_using_object_code(self):
        """Return what the compile cache keeps: the machine code, and which functions it has.

        Numba's own method adds the LLVM module, so that a kernel that comes from disk may become a
        part of others. That is most of the time of loading, and no root does.
        """
        names = [function.name for function in self.get_defined_functions()]
        stubs = "".join(f'define void @"{name}"() {{ ret void }}\n' for name in names)
        return (
            self.name,
            "object",
            (
                self._get_compiled_object(),
                binding.parse_assembly(stubs).as_bitcode(),
            ),
        )


# ---- passes ------------------------------------------------------------------------------------


@register_pass(mutates_CFG=True, analysis_only=False)
class _InferTypes(FunctionPass):
    """Type inference. Unlike in Numba's own pass, functions without reference counts may return
    segments of vectors.
    """

    _name = "sknn_infer_types"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        inferred = typed_passes.type_inference_stage(
            state.typingctx,
            state.targetctx,
            state.func_ir,
            state.args,
            state.return_type,
            state.locals,
        )
        state.typemap, state.return_type, state.calltypes, state.typing_errors = inferred
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerRoot(typed_passes.NativeLowering):
    _name = "sknn_lower_root"

    def run_pass(self, state):
        state.library = _RootLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerLinked(typed_passes.NativeLowering):
    _name = "sknn_lower_linked"

    def run_pass(self, state):
        name = state.func_id.func_qualname
        state.library = _LinkedLibrary(state.targetctx.codegen(), name)
        super().run_pass(state)
        lowered = state["cr"]
        # Numba knows the function by this object. A call from Python raises a TypeError.
        refuse = ctypes.cast(ctypes.pythonapi.PyErr_BadArgument, ctypes.c_void_p).value
        function = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, "", refuse, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(function, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=function)
        return True


_PASSES = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.RewriteSemanticConstants,
    untyped_passes.DeadBranchPrune,
    untyped_passes.GenericRewrites,
    untyped_passes.ReconstructSSA,
    _InferTypes,
    typed_passes.PreLowerStripPhis,
)


class RootCompiler(CompilerBase):
    """Compiles kernels that are entered from outside."""

    lowering = _LowerRoot

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        flags.no_compile = self.lowering is _LowerLinked
        super().__init__(typingctx, targetctx, library, args, return_type, _share(flags), locals)

    def define_pipelines(self):
        """Return the passes."""
        passes = PassManager("sknn")
        for step in (*_PASSES, self.lowering, typed_passes.NoPythonBackend):
            passes.add_pass(step, step.__name__)
        passes.finalize()
        return [passes]


class LinkedCompiler(RootCompiler):
    """Compiles functions that only kernels call."""

    lowering = _LowerLinked
