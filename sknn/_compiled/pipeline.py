"""How Numba compiles kernels: its own passes, with two shortcuts that save most of the time.

Numba optimizes each function and emits machine code for it, and does so again when the function is
linked into its caller. But machine code is needed only of the kernels that are entered from outside,
from Python or by address. So the functions that only kernels call stay as they are until they are
linked into such a root, which is then optimized as a whole. And passes that kernels have no use for
are left out, such as rewriting array expressions.
"""

from numba import _dynfunc
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass


# ---- passes -------------------------------------------------------------------------------------


@register_pass(mutates_CFG=True, analysis_only=False)
class _InferTypes(FunctionPass):
    """Numba's type inference, but functions without reference counts may return slices."""

    _name = "sknn_infer_types"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        state.typemap, state.return_type, state.calltypes, state.typing_errors = (
            typed_passes.type_inference_stage(
                state.typingctx,
                state.targetctx,
                state.func_ir,
                state.args,
                state.return_type,
                state.locals,
            )
        )
        return True


class _Library(JITCodeLibrary):
    """A kernel with the functions that it calls."""

    def _optimize_functions(self, ll_module):
        """Only set the data layout: the whole is optimized later."""
        ll_module.data_layout = self._codegen._data_layout


class RootLibrary(_Library):
    """A kernel that is entered from outside, with all functions that it calls."""

    def add_linking_library(self, library):
        """Add a library and those that it calls, which have not been linked into it."""
        library._ensure_finalized()
        if library not in self._linking_libraries:
            self._linking_libraries.append(library)
            if isinstance(library, LinkedLibrary):
                for callee in library.callees:
                    self.add_linking_library(callee)


class LinkedLibrary(_Library):
    """A function that is optimized and emitted only as a part of those that call it."""

    @property
    def callees(self):
        """Libraries that it calls."""
        return self._linking_libraries

    def finalize(self):
        """Leave the module as it is."""
        self._raise_if_finalized()
        self._finalized = True

    def get_pointer_to_function(self, name):
        """Return 0: there is no machine code."""
        return 0


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerRoot(typed_passes.NativeLowering):
    _name = "sknn_lower_root"

    def run_pass(self, state):
        state.library = RootLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerLinked(typed_passes.NativeLowering):
    _name = "sknn_lower_linked"

    def run_pass(self, state):
        state.library = LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        name = state.func_id.func_qualname
        function = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, "", 0, lowered.env, (state.library,)
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
    typed_passes.IRLegalization,
)


class _Compiler(CompilerBase):
    def define_pipelines(self):
        passes = PassManager("sknn")
        for step in (*_PASSES, self.lowering, typed_passes.NoPythonBackend):
            passes.add_pass(step, step.__name__)
        passes.finalize()
        return [passes]


class RootCompiler(_Compiler):
    lowering = _LowerRoot


class LinkedCompiler(_Compiler):
    lowering = _LowerLinked
