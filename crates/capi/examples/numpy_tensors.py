"""Tensors of NumPy's go into a program, and its results come out, without a copy: DLPack through ctypes.

    python3 numpy_tensors.py LIBRARY FOLDER_OF_PROGRAMS

Other libraries that speak DLPack (PyTorch, JAX, CuPy's arrays of the host) take the same path.
"""

import ctypes as c
import gc
import sys

import numpy as np


class Of(c.Union):
    _fields_ = [("i32", c.c_int32), ("i64", c.c_int64), ("f32", c.c_float), ("f64", c.c_double), ("ref", c.c_void_p)]


class Value(c.Structure):
    _fields_ = [("kind", c.c_uint32), ("of", Of)]


class DeviceOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("id", c.c_char_p), ("is_native_code_run", c.c_uint32),
                ("is_inline_only", c.c_uint32), ("memory_bytes_max", c.c_uint64)]


class SessionOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("stack_bytes_max", c.c_size_t), ("list_length_max", c.c_uint32),
                ("allocation_bytes_max", c.c_uint64), ("device_count", c.c_size_t), ("devices", c.POINTER(c.c_void_p))]


REF = 5

# Where the deleter lies: behind a DLTensor (48 bytes) and a context, or behind a version and a context.
DELETER_AT = {b"dltensor": 56, b"dltensor_versioned": 16}

api = c.pythonapi
api.PyCapsule_GetPointer.argtypes, api.PyCapsule_GetPointer.restype = [c.py_object, c.c_char_p], c.c_void_p
api.PyCapsule_IsValid.argtypes, api.PyCapsule_IsValid.restype = [c.c_void_p, c.c_char_p], c.c_int
api.PyCapsule_SetName.argtypes = [c.py_object, c.c_char_p]
Destructor = c.PYFUNCTYPE(None, c.c_void_p)
api.PyCapsule_New.argtypes, api.PyCapsule_New.restype = [c.c_void_p, c.c_char_p, Destructor], c.py_object
# The same function for a capsule that is ending, of which no new reference may be made.
pointer_of_dying = c.PYFUNCTYPE(c.c_void_p, c.c_void_p, c.c_char_p)(("PyCapsule_GetPointer", api))


def call_deleter(pointer, name):
    deleter = c.c_void_p.from_address(pointer + DELETER_AT[name]).value
    c.CFUNCTYPE(None, c.c_void_p)(deleter)(pointer)


@Destructor
def end_capsule(capsule):
    """Whoever takes a capsule's tensor renames it; one that nobody took is deleted here."""
    for name in DELETER_AT:
        if api.PyCapsule_IsValid(capsule, name):
            call_deleter(pointer_of_dying(capsule, name), name)


class RaddleError(Exception):
    pass


class Raddle:
    def __init__(self, library):
        self.lib = c.CDLL(library)
        self.lib.raddle_status_message.restype = c.c_char_p
        for name in ("raddle_status_message", "raddle_status_release", "raddle_ref_release"):
            getattr(self.lib, name).argtypes = [c.c_void_p]

    def check(self, name, *arguments):
        call = getattr(self.lib, name)
        call.restype = c.c_void_p
        if status := call(*arguments):
            text = self.lib.raddle_status_message(status).decode()
            self.lib.raddle_status_release(status)
            raise RaddleError(text)

    def make(self, name, *arguments):
        out = c.c_void_p()
        self.check(name, *arguments, c.byref(out))
        return out

    def tensor_from(self, array):
        """The array's own bytes as a tensor."""
        try:
            capsule = array.__dlpack__(max_version=(1, 1))
        except TypeError:  # NumPy before 2.1.
            capsule = array.__dlpack__()
        is_versioned = bool(api.PyCapsule_IsValid(id(capsule), b"dltensor_versioned"))
        name = b"dltensor_versioned" if is_versioned else b"dltensor"
        function = "raddle_dlpack_import" if is_versioned else "raddle_dlpack_import_legacy"
        view = self.make(function, c.c_void_p(api.PyCapsule_GetPointer(capsule, name)))
        api.PyCapsule_SetName(capsule, USED[name])
        return Tensor(self, view)

    def call(self, function, tensors, result_count):
        arguments = (Value * len(tensors))(*(Value(REF, Of(ref=tensor.view.value)) for tensor in tensors))
        results = (Value * result_count)()
        self.check("raddle_invoke", function, arguments, c.c_size_t(len(tensors)), None, results, c.c_size_t(result_count), None)
        return [Tensor(self, c.c_void_p(result.of.ref)) for result in results]


# Names that live as long as the capsules that have them.
USED = {name: b"used_" + name for name in DELETER_AT}


class Tensor:
    def __init__(self, raddle, view):
        self.raddle, self.view = raddle, view

    def __del__(self):
        self.raddle.lib.raddle_ref_release(self.view)

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, *, max_version=None, **_):
        is_versioned = max_version is not None and max_version >= (1, 0)
        name = b"dltensor_versioned" if is_versioned else b"dltensor"
        function = "raddle_dlpack_export" if is_versioned else "raddle_dlpack_export_legacy"
        pointer = self.raddle.make(function, self.view)
        return api.PyCapsule_New(pointer, next(known for known in DELETER_AT if known == name), end_capsule)


def aligned(shape, dtype):
    """An array that begins at a multiple of 64, as kernels need it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size].view(dtype).reshape(shape)


def main(library, folder):
    raddle = Raddle(library)
    runtime = raddle.make("raddle_runtime_create", None)
    options = DeviceOptions(c.sizeof(DeviceOptions), None, 1, 0, 0)
    device = raddle.make("raddle_device_create", runtime, c.byref(options))
    module = raddle.make("raddle_module_from_file", f"{folder}/../hal/p04_reduce.sync.vmfb".encode())
    devices = (c.c_void_p * 1)(device)
    session_options = SessionOptions(c.sizeof(SessionOptions), 0, 0, 0, 1, devices)
    modules = (c.c_void_p * 1)(module)
    session = raddle.make("raddle_session_create", runtime, modules, c.c_size_t(1), c.byref(session_options))
    reduce = raddle.make("raddle_session_function", session, b"reduce")

    array = aligned((16, 33), np.float32)
    array[:] = np.arange(16)[:, None]
    holders = sys.getrefcount(array)
    argument = raddle.tensor_from(array)
    assert sys.getrefcount(array) == holders + 1
    array[0, 0] = 100.0  # Seen by the program: nothing was copied.
    sums, most = raddle.call(reduce, [argument], 2)
    rows, peak = np.from_dlpack(sums), np.from_dlpack(most)
    assert rows.dtype == np.float32 and rows.shape == (16,) and peak.shape == ()
    assert np.array_equal(rows, array.sum(axis=1)) and peak == 15 * 33
    # Two arrays over the same bytes: the result's.
    again = np.from_dlpack(sums)
    assert again.ctypes.data == rows.ctypes.data
    # Everything of raddle's may go; the bytes stay as long as an array has them, the array as long as a tensor.
    unused = sums.__dlpack__()
    del sums, most, again, unused
    gc.collect()
    for release, handle in (("function", reduce), ("session", session), ("module", module), ("device", device), ("runtime", runtime)):
        getattr(raddle.lib, f"raddle_{release}_release")(handle)
    assert rows[15] == 15 * 33
    del argument
    gc.collect()
    assert sys.getrefcount(array) == holders

    # What can't be taken is refused, and stays NumPy's.
    for wrong, text in ((array.T, "copy it first"), (array[:, 1:], "copy it first"), (array.ravel()[1:], "multiple of 64")):
        holders = sys.getrefcount(wrong)
        try:
            raddle.tensor_from(wrong)
            raise AssertionError(text)
        except RaddleError as error:
            assert text in str(error), error
        assert sys.getrefcount(wrong) == holders
    print(f"numpy_tensors: ok (NumPy {np.__version__})")


main(*sys.argv[1:])
