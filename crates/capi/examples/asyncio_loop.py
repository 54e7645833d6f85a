"""Python's asyncio drives raddle through ctypes: loop.add_reader on raddle's descriptor, and no thread.

    python3 asyncio_loop.py LIBRARY FOLDER_OF_PROGRAMS
"""

import asyncio
import ctypes as c
import os
import sys


class Of(c.Union):
    _fields_ = [("i32", c.c_int32), ("i64", c.c_int64), ("f32", c.c_float), ("f64", c.c_double), ("ref", c.c_void_p)]


class Value(c.Structure):
    _fields_ = [("kind", c.c_uint32), ("of", Of)]


class RuntimeOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("driver", c.c_uint32), ("workers", c.c_uint32), ("name", c.c_char_p),
                ("stack_bytes", c.c_size_t)]


I32, I64, REF, DRIVER_HOST = 1, 2, 5, 3
Callback = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.POINTER(Value), c.c_size_t)


class RaddleError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Raddle:
    """A runtime without threads, on the loop that runs."""

    def __init__(self, library, loop):
        # PyDLL keeps the interpreter's lock during calls: callbacks come from inside `turn`, on this thread.
        self.lib = c.PyDLL(library)
        self.lib.raddle_status_message.restype = c.c_char_p
        for name in ("raddle_status_message", "raddle_status_code", "raddle_status_release", "raddle_event_set"):
            getattr(self.lib, name).argtypes = [c.c_void_p]
        self.loop, self.waiting, self.next = loop, {}, 1
        self.callback = Callback(self.on_done)
        options = RuntimeOptions(c.sizeof(RuntimeOptions), DRIVER_HOST, 0, b"asyncio", 0)
        self.runtime = self.make("raddle_runtime_create", c.byref(options))
        self.fd = self.lib.raddle_runtime_fd(self.runtime)
        loop.add_reader(self.fd, self.turn)

    def check(self, name, *arguments):
        call = getattr(self.lib, name)
        call.restype = c.c_void_p
        self.fail(call(*arguments))

    def make(self, name, *arguments):
        out = c.c_void_p()
        self.check(name, *arguments, c.byref(out))
        return out

    def fail(self, status):
        if status:
            error = RaddleError(self.lib.raddle_status_code(status), self.lib.raddle_status_message(status).decode())
            self.lib.raddle_status_release(status)
            raise error

    def turn(self):
        self.check("raddle_runtime_turn", self.runtime, 0, None, None)

    def invoke(self, function, *values):
        future = self.loop.create_future()
        key, self.next = self.next, self.next + 1
        self.waiting[key] = future
        arguments = (Value * len(values))(*values)
        self.check("raddle_invoke_async", function, arguments, c.c_size_t(len(values)), None, self.callback,
                   c.c_void_p(key), None)
        return future

    def on_done(self, key, status, results, count):
        future = self.waiting.pop(key)
        if future.cancelled():
            return
        if status:
            text = self.lib.raddle_status_message(status).decode()
            future.set_exception(RaddleError(self.lib.raddle_status_code(status), text))
        else:
            future.set_result([results[i].of.i32 for i in range(count)])

    def close(self):
        self.loop.remove_reader(self.fd)
        self.lib.raddle_runtime_release(self.runtime)


def i32(number):
    return Value(I32, Of(i32=number))


async def main(library, folder):
    raddle = Raddle(library, asyncio.get_running_loop())
    module = raddle.make("raddle_module_from_file", f"{folder}/waits.vmfb".encode())
    modules = (c.c_void_p * 1)(module)
    session = raddle.make("raddle_session_create", raddle.runtime, modules, c.c_size_t(1), None)
    add, delay, until = (raddle.make("raddle_session_function", session, name) for name in (b"add", b"delay", b"until"))

    assert await raddle.invoke(add, i32(3), i32(4)) == [7]
    # Many at once, waiting for deadlines, beside asyncio's own timers.
    delays = [raddle.invoke(delay, Value(I64, Of(i64=1_000_000 * (i % 5))), i32(i)) for i in range(100)]
    _, *sums = await asyncio.gather(asyncio.sleep(0.002), *delays)
    assert [result for [result] in sums] == list(range(100))
    # An event that a callback of asyncio's sets.
    event = raddle.make("raddle_event_create", c.c_bool(False))
    reference = raddle.make("raddle_event_ref", event)
    waits = raddle.invoke(until, Value(REF, Of(ref=reference.value)), i32(9))
    asyncio.get_running_loop().call_later(0.002, raddle.lib.raddle_event_set, event)
    assert await waits == [9]
    try:
        await raddle.invoke(add, i32(1))
        raise AssertionError("one argument is too few")
    except RaddleError as error:
        assert error.code == 3 and "2 arguments" in str(error), error
    assert len(os.listdir("/proc/self/task")) == 1

    raddle.lib.raddle_ref_release(reference)
    raddle.lib.raddle_event_release(event)
    for function in (add, delay, until):
        raddle.lib.raddle_function_release(function)
    raddle.lib.raddle_session_release(session)
    raddle.lib.raddle_module_release(module)
    raddle.close()
    print("asyncio_loop: ok")


asyncio.run(main(*sys.argv[1:]))
