//! Functions of a session, and calling them in one go.
//!
//! Not here: invocations that are held (`invocation.rs`), the low level (`state.rs`).
#![allow(unsafe_code)]

use crate::boundary::{UserData, array, fallible, foreign, infallible, invalid, places, put_if, text};
use crate::handle::{Handle, Kind, kind};
use crate::invocation::{InvokeOptions, Pending};
use crate::object::Ref;
use crate::options;
use crate::report::copy_text;
use crate::status::Status;
use crate::value::{Lent, Value, all_arguments, check_room, give, in_argument};
use raddle::hal::Fence;
use raddle::vm;
use raddle::{Code, Each, Error, Invocation, NEVER, Outputs, Priority, Result};
use std::ffi::{c_char, c_void};

/// An exported function of a session. Thread-safe.
pub struct Function(Handle<Target>);

pub struct Target {
    pub(crate) function: raddle::Function,
    pub(crate) session: raddle::Session,
    pub(crate) result_count: usize,
}

kind!(Function: Target, "raddle_function_t", b"FUNC");

impl Target {
    pub(crate) fn new(session: &raddle::Session, name: &str) -> Result<Target> {
        let function = session.function(name)?;
        let result_count = function.signature().results().len();
        Ok(Target { function, session: session.clone(), result_count })
    }

    /// Makes an invocation that has not begun, and hands it to `body`: where it is made it stays, since moving it costs as
    /// much as all the rest of a call.
    #[inline(always)]
    pub(crate) fn with_invocation<R>(
        &self,
        arguments: *const Value,
        count: usize,
        options: *const InvokeOptions,
        body: impl FnOnce(&mut Invocation) -> Result<R>,
    ) -> Result<R> {
        let arguments = array(arguments, count, "arguments")?;
        if !options.is_null() {
            return body(&mut self.call_with(arguments, options)?);
        }
        let mut wrong = None;
        let mut invocation = self.call(arguments, &mut wrong);
        match wrong {
            None => body(&mut invocation),
            Some(error) => Err(error),
        }
    }

    /// The same, to be kept.
    pub(crate) fn invocation(
        &self,
        arguments: *const Value,
        count: usize,
        options: *const InvokeOptions,
    ) -> Result<Invocation> {
        let arguments = array(arguments, count, "arguments")?;
        if !options.is_null() {
            return self.call_with(arguments, options);
        }
        let mut wrong = None;
        let invocation = self.call(arguments, &mut wrong);
        wrong.map_or(Ok(invocation), Err)
    }

    /// An invocation; if an argument is `wrong`, it is to be dropped.
    #[inline(always)]
    fn call(&self, arguments: &[Value], wrong: &mut Option<Error>) -> Invocation {
        // Straight from C's array into the call: nothing is allocated, and nothing is moved twice.
        self.function.invoke(Each(|add: &mut dyn FnMut(vm::Value)| {
            for (index, value) in arguments.iter().enumerate() {
                match value.to_rust() {
                    Ok(value) => add(value),
                    Err(error) => return *wrong = Some(in_argument(error, index)),
                }
            }
        }))
    }

    #[inline(never)]
    fn call_with(&self, arguments: &[Value], options: *const InvokeOptions) -> Result<Invocation> {
        let options = options::read(options)?;
        let invocation = match options.wait_fence.is_null() && options.signal_fence.is_null() {
            true => self.function.invoke(all_arguments(arguments)?),
            false => self.call_between(arguments, &options)?,
        };
        let invocation = match options.deadline {
            0 => invocation,
            deadline => invocation.deadline(deadline),
        };
        Ok(match options.priority {
            0 => invocation,
            1 => invocation.priority(Priority::Low),
            2 => invocation.priority(Priority::High),
            other => return Err(invalid(format!("{other} is no raddle_priority_t"))),
        })
    }

    /// A call between two fences of the options.
    fn call_between(&self, arguments: &[Value], options: &InvokeOptions) -> Result<Invocation> {
        if !self.function.takes_fences() {
            let text =
                format!("{} is not of the asynchronous interface: it takes no fences", self.function.name());
            return Err(invalid(text));
        }
        let fence = |fence: *const Ref, what| -> Result<Option<vm::Ref>> {
            // SAFETY: B1.
            let fence = unsafe { fence.as_ref() };
            fence
                .map(|fence| Ref::object_ref::<Fence>(Some(fence), what).map(|fence| fence.untyped().clone()))
                .transpose()
        };
        let begin = fence(options.wait_fence, "wait_fence")?;
        let end = fence(options.signal_fence, "signal_fence")?.unwrap_or_else(|| vm::Ref::new(Fence::new()));
        let mut values = all_arguments(arguments)?;
        values.extend([vm::Value::Ref(begin), vm::Value::Ref(Some(end))]);
        Ok(self.function.invoke(values))
    }
}

/// Calls the function and waits for its results: it runs on this thread until it has to wait.
///
/// `results` has room for `result_capacity` values, which must be enough; `out_result_count` may be null. References in the
/// results are the caller's to release. `options` may be null.
///
/// Blocks: until the invocation has ended; on a runtime that the host drives it turns meanwhile. Fails as the function
/// does; INVALID_ARGUMENT: arguments of another number or kind, or too little room; FAILED_PRECONDITION: the runtime is
/// shutting down, or the wait would put its last worker to sleep.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_invoke(
    function: Option<&Function>,
    arguments: *const Value,
    argument_count: usize,
    options: *const InvokeOptions,
    results: *mut Value,
    result_capacity: usize,
    out_result_count: *mut usize,
) -> *mut Status {
    fallible(move || {
        put_if(out_result_count, 0);
        let target = Function::get(function, "function")?;
        let results = places(results, result_capacity, "results")?;
        check_room(target.result_count, results.len())?;
        target.with_invocation(arguments, argument_count, options, |invocation| {
            match invocation.wait_until(NEVER) {
                Ok(ref mut outputs) => give(outputs, results, out_result_count),
                Err(error) => return Err(error),
            }
            Ok(())
        })
    })
}

/// Called once, when an invocation has ended. `status` is null, or how it failed; `results` are there if it is null. Both are
/// borrowed: retain what is to be kept. It runs on a worker, or in the host's turn; only when the runtime has ended, and
/// nobody else is left, inside `raddle_invoke_async`. It must not block; it may call raddle, and release any handle.
pub type InvokeCallback = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        status: *const Status,
        results: *const Value,
        result_count: usize,
    ),
>;

/// A checked callback with its user data.
pub(crate) fn completion(
    callback: InvokeCallback,
    user_data: *mut c_void,
) -> Result<impl FnOnce(Result<Outputs>) + Send + 'static> {
    let callback = callback.ok_or_else(|| invalid("`callback` is null"))?;
    let data = UserData(user_data);
    Ok(move |result: Result<Outputs>| {
        let data = data;
        tell(callback, data, result);
    })
}

#[inline]
fn tell(
    callback: unsafe extern "C-unwind" fn(*mut c_void, *const Status, *const Value, usize),
    data: UserData,
    mut result: Result<Outputs>,
) {
    match result {
        Ok(ref mut outputs) => {
            let lent = Lent::new(outputs.iter_mut().map(std::mem::take));
            let (results, count) = (lent.values().as_ptr(), lent.values().len());
            // SAFETY: B1.
            foreign("a completion callback", || unsafe {
                callback(data.0, std::ptr::null(), results, count)
            });
        }
        Err(error) => {
            let status = Status::new(error);
            // SAFETY: B1.
            foreign("a completion callback", || unsafe { callback(data.0, status, std::ptr::null(), 0) });
            // SAFETY: it is ours, and alive until here.
            Status::release(unsafe { status.as_ref() }, "a completion callback");
        }
    }
}

/// Calls the function and has `callback` called when the invocation has ended. `out_invocation` may be null; it gets a handle
/// by which the invocation can be cancelled, before `callback` can be called.
///
/// Blocks never. On failure `callback` is not called: INVALID_ARGUMENT: a null pointer, or an option.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_invoke_async(
    function: Option<&Function>,
    arguments: *const Value,
    argument_count: usize,
    options: *const InvokeOptions,
    callback: InvokeCallback,
    user_data: *mut c_void,
    out_invocation: *mut *mut Pending,
) -> *mut Status {
    fallible(move || {
        put_if(out_invocation, std::ptr::null_mut());
        let target = Function::get(function, "function")?;
        let callback = completion(callback, user_data)?;
        let invocation = target.invocation(arguments, argument_count, options)?;
        if !out_invocation.is_null() {
            put_if(out_invocation, Pending::called_back(&invocation, target.result_count));
        }
        invocation.on_complete(callback);
        Ok(())
    })
}

/// Writes the name, "module.function", with a final 0, cut to `capacity` bytes, and returns its length without the 0.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_function_name(
    function: Option<&Function>,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    infallible("raddle_function_name", || {
        copy_text(Function::demand(function, "raddle_function_name").function.name(), buffer, capacity)
    })
}

/// Writes the calling convention ("0ii_i": see `raddle_native_function_t`) with a final 0, cut to `capacity` bytes, and
/// returns its length without the 0.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_function_convention(
    function: Option<&Function>,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    infallible("raddle_function_convention", || {
        let target = Function::demand(function, "raddle_function_convention");
        copy_text(target.function.signature().text(), buffer, capacity)
    })
}

/// Writes an attribute that the compiler left ("iree.abi.declaration" says what was compiled) with a final 0, cut to
/// `capacity` bytes; `out_size`, which may be null, gets its length without the 0.
///
/// NOT_FOUND: it has no such attribute.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_function_attribute(
    function: Option<&Function>,
    key: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    out_size: *mut usize,
) -> *mut Status {
    fallible(|| {
        put_if(out_size, 0);
        let (target, key) = (Function::get(function, "function")?, text(key, "key")?);
        let missing = || {
            let name = target.function.name();
            Error::new(Code::NotFound, format!("{name} has no attribute `{key}`"))
        };
        let value = target.function.attr(key).ok_or_else(missing)?;
        put_if(out_size, copy_text(value, buffer, capacity));
        Ok(())
    })
}

/// How many results it has.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_function_result_count(function: Option<&Function>) -> usize {
    infallible("raddle_function_result_count", || {
        Function::demand(function, "raddle_function_result_count").result_count
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_function_retain(function: Option<&Function>) {
    Function::retain(function, "raddle_function_retain");
}

/// One holder less. Null is nothing. Invocations keep what they need of it.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_function_release(function: Option<&Function>) {
    Function::release(function, "raddle_function_release");
}
