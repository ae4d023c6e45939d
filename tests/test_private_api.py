"""Everything private that the package uses of Numba, llvmlite, NumPy and scikit-learn.

Private names may change in any release. Each row of ``TABLE`` says what is used, how to check that
it still exists, and what breaks without it; a failing test names the files to mend. An upper bound
in pyproject.toml is raised after these tests have passed with the new release.
"""

import ast
import functools
import importlib
import inspect
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding
import numba
import numpy as np
import pytest
import sklearn
from llvmlite import ir
from numba import types
from numba.core import compiler, config
from numba.extending import intrinsic
from reference import compiled_only
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils.validation import _check_sample_weight

import sknn
from sknn._compiled import cache

pytestmark = compiled_only
PACKAGE = Path(sknn.__file__).resolve().parent
SOURCES = {path.relative_to(PACKAGE.parent): path.read_text() for path in PACKAGE.rglob("*.py")}


class Private(NamedTuple):
    used: str  # how it stands in the sources
    exists: Any  # function: whether the library still has it
    breaks: str


class Pair(NamedTuple):
    number: int


@functools.cache
def a_dispatcher():
    """Return a compiled function of Numba's."""
    kernel = numba.njit(lambda x: x)
    kernel(1)
    return kernel


def compiled():
    (result,) = a_dispatcher().overloads.values()
    return result


def context():
    return a_dispatcher().targetctx


def compiles_with(**options):
    return numba.njit(**options)(lambda x: x + 1).compile((types.int64,)) is not None


def has(find, *names):
    """Return a function that tells whether the object that ``find`` returns has the attributes."""
    return lambda: all(hasattr(find(), name) for name in names)


def imports(module, *names):
    return has(lambda: importlib.import_module(module), *names)


def masked_load_keeps_its_name():
    name = "llvm.masked.load.v8f32.p0"
    declaration = f"declare <8 x float> @{name}(ptr, i32, <8 x i1>, <8 x float>)"
    return name in str(llvmlite.binding.parse_assembly(declaration))


def wraps_the_function():
    def add(typing_context, x):
        return None

    return intrinsic(add).__wrapped__ is add and numba.njit(add).__wrapped__ is add


def struct_type():
    return numba.typeof(Pair(1))


def callback_support():
    folder = Path(importlib.import_module("sklearn.callback").__file__).parent
    return "".join(path.read_text() for path in folder.glob("*.py"))


def names_in_callback_support(*names):
    """Callbacks came with scikit-learn 1.9; before, the package has a stand-in for them."""
    version = tuple(map(int, sklearn.__version__.split(".")[:2]))
    return lambda: version < (1, 9) or all(name in callback_support() for name in names)


CACHE_OFF = "the compile cache: every process compiles anew"
NO_KERNELS = "compilation of kernels: nothing runs"
NO_IMPORT = "the import of the package"
NO_CALLBACKS = "callbacks: they are not called, or kept in pickles"

TABLE = [
    # ---- Numba and llvmlite --------------------------------------------------------------------
    Private('"_cache"', has(a_dispatcher, "_cache"), CACHE_OFF),
    Private('"compile"', has(a_dispatcher, "compile"), "Ctrl-C during compilation: it is lost"),
    Private('"_nrt"', lambda: compiles_with(_nrt=False), NO_IMPORT),
    Private(
        '"no_cpython_wrapper"',
        lambda: compiles_with(no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True),
        NO_IMPORT,
    ),
    Private("_rebuild", has(lambda: compiler.CompileResult, "_rebuild"), CACHE_OFF),
    Private("_reduce", has(lambda: compiler.CompileResult, "_reduce"), CACHE_OFF),
    Private("magic_tuple", lambda: len(context().codegen().magic_tuple()) > 0, CACHE_OFF),
    Private("rtsys", imports("numba.core.runtime", "rtsys"), CACHE_OFF),
    Private(
        "_shared_module",
        has(
            lambda: compiled().library, "_shared_module", "_get_compiled_object", "create_ir_module"
        ),
        CACHE_OFF,
    ),
    Private(
        "JITCodeLibrary",
        has(
            lambda: importlib.import_module("numba.core.codegen").JITCodeLibrary,
            "_optimize_functions",
            "_ensure_finalized",
            "add_linking_library",
            "finalize",
            "get_defined_functions",
            "serialize_using_object_code",
        ),
        "the time of compilation: functions are compiled one by one, or not at all",
    ),
    Private(
        "_linking_libraries", has(lambda: compiled().library, "_linking_libraries"), NO_KERNELS
    ),
    Private("_data_layout", has(lambda: context().codegen(), "_data_layout"), NO_KERNELS),
    Private("_dynfunc", imports("numba", "_dynfunc"), NO_IMPORT),
    Private(
        "typed_passes",
        imports(
            "numba.core.typed_passes",
            "IRLegalization",
            "NativeLowering",
            "NoPythonBackend",
            "PreLowerStripPhis",
            "type_inference_stage",
        ),
        NO_IMPORT,
    ),
    Private(
        "untyped_passes",
        imports(
            "numba.core.untyped_passes",
            "DeadBranchPrune",
            "FixupArgs",
            "GenericRewrites",
            "IRProcessing",
            "ReconstructSSA",
            "RewriteSemanticConstants",
            "TranslateByteCode",
        ),
        NO_IMPORT,
    ),
    Private("CompilerBase", imports("numba.core.compiler", "CompilerBase"), NO_IMPORT),
    Private(
        "Flags",
        lambda: hasattr(compiler.Flags(), "values") and compiler.Flags() == compiler.Flags(),
        NO_IMPORT,
    ),
    *(
        Private(name, imports("numba.core.compiler_machinery", name), NO_IMPORT)
        for name in ("FunctionPass", "PassManager", "register_pass")
    ),
    Private("__wrapped__", wraps_the_function, "names of closures: the cache mixes them up"),
    Private(
        "library.get_pointer_to_function",
        lambda: compiled().library.get_pointer_to_function(compiled().fndesc.mangled_name) != 0,
        NO_KERNELS,
    ),
    Private(
        "call_conv",
        has(
            lambda: context().call_conv,
            "get_function_type",
            "call_function",
            "return_status_propagate",
        ),
        NO_KERNELS,
    ),
    Private(
        "types.StarArgTuple", has(lambda: types, "StarArgTuple", "StarArgUniTuple"), NO_KERNELS
    ),
    Private("make_array", has(context, "make_array"), NO_KERNELS),
    Private(
        "types.BaseNamedTuple",
        lambda: (
            isinstance(struct_type(), types.BaseNamedTuple)
            and struct_type().fields == ("number",)
            and tuple(struct_type().types) == (types.int64,)
            and struct_type().instance_class is Pair
        ),
        "structs by reference: wrong fields are read",
    ),
    Private(
        ".p0", masked_load_keeps_its_name, "matrix products: LLVM does not know its own function"
    ),
    Private("as_pointer()", has(lambda: ir.IntType(8), "as_pointer"), NO_KERNELS),
    Private("compiler", imports("numba.core.compiler", "CompileResult"), NO_IMPORT),
    Private(
        "config",
        has(lambda: config, "DISABLE_JIT", "NUMBA_NUM_THREADS", "CACHE_DIR", *cache._OPTIONS),
        NO_IMPORT,
    ),
    Private("dumps", imports("numba.core.serialize", "dumps"), NO_IMPORT),
    Private("NumbaError", imports("numba.core.errors", "NumbaError"), NO_IMPORT),
    Private("TypingError", imports("numba.core.errors", "TypingError"), NO_IMPORT),
    Private(
        "cgutils",
        imports(
            "numba.core.cgutils",
            "alloca_once",
            "get_or_insert_function",
            "if_unlikely",
            "is_true",
            "unpack_tuple",
        ),
        NO_KERNELS,
    ),
    Private("models", imports("numba.core.datamodel.models", "PrimitiveModel"), NO_IMPORT),
    Private(
        "AttributeTemplate",
        imports("numba.core.typing.templates", "AttributeTemplate"),
        NO_IMPORT,
    ),
    # ---- NumPy ---------------------------------------------------------------------------------
    Private("_bit_generator", has(lambda: np.random.RandomState, "_bit_generator"), "shuffling"),
    # ---- scikit-learn --------------------------------------------------------------------------
    Private("_fit_context", imports("sklearn.base", "_fit_context"), NO_IMPORT),
    Private(
        "_check_partial_fit_first_call",
        imports("sklearn.utils.multiclass", "_check_partial_fit_first_call"),
        NO_IMPORT,
    ),
    Private(
        "_check_sample_weight",
        lambda: "ensure_non_negative" in inspect.signature(_check_sample_weight).parameters,
        "weights of samples",
    ),
    Private(
        "_check_feature_names_in",
        imports("sklearn.utils.validation", "_check_feature_names_in"),
        NO_IMPORT,
    ),
    Private("_safe_indexing", imports("sklearn.utils", "_safe_indexing"), NO_IMPORT),
    *(
        Private(name, imports("sklearn.utils._param_validation", name), NO_IMPORT)
        for name in (
            "HasMethods",
            "Interval",
            "InvalidParameterError",
            "Options",
            "StrOptions",
            "validate_parameter_constraints",
        )
    ),
    Private(
        "_parameter_constraints",
        lambda: "_parameter_constraints" in inspect.getsource(BaseEstimator._validate_params),
        "validation of parameters: anything passes",
    ),
    Private(
        "_get_param_names",
        has(lambda: BaseEstimator, "_get_param_names"),
        "the speed of get_params",
    ),
    Private(
        "_doc_link_template",
        has(lambda: BaseEstimator, "_doc_link_module", "_doc_link_template"),
        "the link to the documentation in notebooks",
    ),
    Private(
        "_n_features_out",
        lambda: "_n_features_out" in inspect.getsource(ClassNamePrefixFeaturesOutMixin),
        "names of features",
    ),
    *(
        Private(name, names_in_callback_support(name.strip('"')), NO_CALLBACKS)
        for name in (
            "_callback_fit_ctx",
            "_skl_callbacks_to_teardown",
            '"_skl_callbacks"',
            "_init_callback_context",
        )
    ),
]


def files_that_use(private):
    return sorted(str(path) for path, text in SOURCES.items() if private.used in text)


@pytest.mark.parametrize("private", TABLE, ids=lambda private: private.used)
def test_private_name_exists(private):
    files = files_that_use(private)
    assert files, f"nothing uses {private.used} any more: remove its row"
    message = f"{private.used} is no more; without it breaks {private.breaks}. Mend {files}."
    try:
        exists = private.exists()
    except Exception as error:
        raise AssertionError(message) from error
    assert exists, message


def private_imports(text):
    """Return the names that a source imports from private modules, and private names."""
    return {
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.level == 0
        for alias in node.names
        if node.module.startswith("numba.core")
        or any(part.startswith("_") for part in [*node.module.split(".")[1:], alias.name])
    }


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_private_imports_are_in_the_table(path):
    assert private_imports(SOURCES[path]) <= {private.used for private in TABLE}
