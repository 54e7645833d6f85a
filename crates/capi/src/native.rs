//! Modules whose functions are the host's.
//!
//! Not here: marshalling from and to registers (`raddle-vm`).
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, Owned, UserData, array, fallible, foreign, invalid, text};
use crate::handle::Kind;
use crate::module::{Module, Part};
use crate::object::host_type;
use crate::options::{self, Options};
use crate::source::Source;
use crate::status::Status;
use crate::value::{Lent, Value};
use raddle::vm::{self, DynamicFlow, DynamicRest, Flow, NativeModule, Wait, WaitOutcome};
use raddle::wait::Condition;
use raddle::{Moment, Result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// A call of a function of the host's, for the time of the call: with it the function can suspend, and finds its session's
/// state.
pub struct NativeCall {
    state: *mut c_void,
    suspended: Option<Suspension>,
}

/// What one session has of the module.
struct SessionState {
    own: Owned,
    /// After the state: it may use what the module's user data is.
    _module: Arc<Owned>,
}

struct Suspension {
    wait: Option<Wait>,
    resume: NativeResume,
    owned: Owned,
}

/// A function of the host's. `arguments` are borrowed; a repeated group is its count (i32) and then its items. `results` are
/// zero or null; references written there are taken over by raddle. Returns null, or a status, which raddle takes over.
///
/// To suspend, it calls `raddle_native_wait` or `raddle_native_yield` and returns null; its results are then those of
/// the resume function. It runs on the thread that runs the program, several calls at a time, and must not block.
pub type NativeFunctionCallback = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        call: *mut NativeCall,
        arguments: *const Value,
        argument_count: usize,
        results: *mut Value,
        result_count: usize,
    ) -> *mut Status,
>;

/// The rest of a function that has suspended. `status` says how the wait ended (null: as it should; borrowed), `index` which
/// source of a wait for any was first. Otherwise as the function itself; it may suspend again.
pub type NativeResumeCallback = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        call: *mut NativeCall,
        status: *const Status,
        index: usize,
        results: *mut Value,
        result_count: usize,
    ) -> *mut Status,
>;

type NativeResume = unsafe extern "C-unwind" fn(
    *mut c_void,
    *mut NativeCall,
    *const Status,
    usize,
    *mut Value,
    usize,
) -> *mut Status;

/// One function of a module of the host's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NativeFunction {
    /// Its name in the module. Copied.
    pub name: *const c_char,
    /// Its calling convention, as compiled modules write it: `"0" arguments "_" results`, of the letters i, I (i32, i64), f, F
    /// (f32, f64), r (reference), `C…D` around a repeated group, and v for nothing: "0iCrD_v". Copied.
    pub convention: *const c_char,
    /// The function.
    pub function: NativeFunctionCallback,
    /// Passed to it in place of the module's; null for the module's.
    pub user_data: *mut c_void,
}

/// How a module of the host's is made.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NativeModuleOptions {
    /// `sizeof(raddle_native_module_options_t)`.
    pub struct_size: usize,
    /// The name by which programs import from it. Copied.
    pub name: *const c_char,
    /// Against which the dependencies of programs are checked.
    pub version: u32,
    /// How many functions.
    pub function_count: usize,
    /// The functions. Copied.
    pub functions: *const NativeFunction,
    /// Passed to the functions.
    pub user_data: *mut c_void,
    /// Ends `user_data`, once, when neither the module nor a session needs it any more; null for nothing.
    pub destroy: Destroy,
    /// How many types.
    pub type_count: usize,
    /// The names of the types of the host's objects that the functions take and return: "app.thing"
    /// (`raddle_object_create`), which programs that import from the module write as `!vm.ref<!app.thing>`. Copied.
    pub types: *const *const c_char,
    /// Makes what one session has of the module, for `raddle_native_state`; null for nothing. Called by
    /// `raddle_session_create` and `raddle_session_fork`, which fail with the status that it returns, and which raddle
    /// takes over.
    pub create_state: Option<
        unsafe extern "C-unwind" fn(user_data: *mut c_void, out_state: *mut *mut c_void) -> *mut Status,
    >,
    /// Ends a state, once, on any thread, when its session and its suspended calls are gone; null for nothing.
    pub destroy_state: Destroy,
}

// SAFETY: O1.
unsafe impl Options for NativeModuleOptions {
    const NAME: &'static str = "raddle_native_module_options_t";
}

/// A module whose functions are the host's. On failure `destroy` is not called.
///
/// INVALID_ARGUMENT: a name or function is missing, or a calling convention is malformed. ALREADY_EXISTS: two functions
/// have one name.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_module_native(
    options: *const NativeModuleOptions,
    out_module: *mut *mut Module,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_module, "out_module")?;
        let options = options::read(options)?;
        let keeper = Arc::new(Owned::borrowed(options.user_data));
        let build = || -> Result<NativeModule> {
            let (module, create, destroy) = (keeper.clone(), options.create_state, options.destroy_state);
            let state = move || create_state(&module, create, destroy);
            let mut builder =
                NativeModule::with_state(text(options.name, "name")?, state).version(options.version);
            for name in array(options.types, options.type_count, "types")? {
                builder = builder.object_type(host_type(text(*name, "the name of a type")?)?);
            }
            for given in array(options.functions, options.function_count, "functions")? {
                let name = text(given.name, "the name of a function")?;
                let function =
                    given.function.ok_or_else(|| invalid(format!("the function '{name}' is null")))?;
                let keeper = keeper.clone();
                let own = (!given.user_data.is_null()).then_some(UserData(given.user_data));
                let call =
                    move |state: &Arc<SessionState>, arguments: &[vm::Value], results: &mut [vm::Value]| {
                        let data = own.unwrap_or(keeper.data);
                        let arguments = Lent::new(arguments.iter().cloned());
                        let (given, count) = (arguments.values().as_ptr(), arguments.values().len());
                        run(state, results, |call, results, result_count| {
                            // SAFETY: B1.
                            unsafe { function(data.0, call, given, count, results, result_count) }
                        })
                    };
                builder = builder.dynamic(name, text(given.convention, "a calling convention")?, call)?;
            }
            builder.build()
        };
        let module = build()?;
        keeper.adopt(options.destroy);
        out.put(Module::create(Part::Native(module)));
        Ok(())
    })
}

/// What a new session has of the module.
fn create_state(
    module: &Arc<Owned>,
    create: Option<unsafe extern "C-unwind" fn(*mut c_void, *mut *mut c_void) -> *mut Status>,
    destroy: Destroy,
) -> Result<Arc<SessionState>> {
    let mut state = std::ptr::null_mut();
    if let Some(create) = create {
        // SAFETY: B1.
        Status::take(foreign("create_state", || unsafe { create(module.data.0, &mut state) }))?;
    }
    let own = match create {
        Some(_) => Owned::new(state, destroy),
        None => Owned::borrowed(state),
    };
    Ok(Arc::new(SessionState { own, _module: module.clone() }))
}

/// Runs a function or a rest of one.
fn run(
    state: &Arc<SessionState>,
    results: &mut [vm::Value],
    function: impl FnOnce(*mut NativeCall, *mut Value, usize) -> *mut Status,
) -> Result<DynamicFlow> {
    let mut few = [Value::EMPTY; 8];
    let mut many = Vec::new();
    let places = match results.len() <= few.len() {
        true => &mut few[..results.len()],
        false => {
            many.resize(results.len(), Value::EMPTY);
            &mut many[..]
        }
    };
    for (place, value) in places.iter_mut().zip(results.iter_mut()) {
        *place = Value::of_rust(std::mem::take(value));
    }
    let mut call = NativeCall { state: state.own.data.0, suspended: None };
    let returned = foreign("a native function", || function(&mut call, places.as_mut_ptr(), places.len()));
    // Results are taken over even where the call fails, so that none is leaked.
    let taken: Vec<_> = match places.len() {
        0 => Vec::new(),
        _ => places.iter().map(|value| value.take()).collect(),
    };
    Status::take(returned)?;
    let Some(Suspension { wait, resume, owned }) = call.suspended else {
        for (place, value) in results.iter_mut().zip(taken) {
            *place = value?;
        }
        return Ok(Flow::Ready(()));
    };
    // In this order: whatever ends the user data may still use the state.
    let kept = (owned, state.clone());
    let rest = DynamicRest::new(move |outcome, results| {
        let (owned, state) = &kept;
        go_on(state, resume, owned, outcome, results)
    });
    Ok(match wait {
        Some(wait) => Flow::Wait(wait, rest),
        None => Flow::Yield(rest),
    })
}

fn go_on(
    state: &Arc<SessionState>,
    resume: NativeResume,
    owned: &Owned,
    outcome: WaitOutcome,
    results: &mut [vm::Value],
) -> Result<DynamicFlow> {
    let UserData(data) = owned.data;
    let (status, index) = match outcome.into_result() {
        Ok(index) => (std::ptr::null_mut(), index),
        Err(error) => (Status::new(error), 0),
    };
    let flow = run(state, results, |call, results, count| {
        // SAFETY: B1.
        unsafe { resume(data, call, status, index, results, count) }
    });
    // SAFETY: it is ours, and alive until here.
    Status::release(unsafe { status.as_ref() }, "a resume function");
    flow
}

fn suspend(
    call: Option<&mut NativeCall>,
    wait: Option<Wait>,
    resume: NativeResumeCallback,
    data: *mut c_void,
    destroy: Destroy,
) -> Result {
    let call = call.ok_or_else(|| invalid("`call` is null"))?;
    let resume = resume.ok_or_else(|| invalid("`resume` is null"))?;
    if call.suspended.is_some() {
        return Err(invalid("this call has been suspended already"));
    }
    call.suspended = Some(Suspension { wait, resume, owned: Owned::new(data, destroy) });
    Ok(())
}

/// Inside a function of the host's: what `create_state` made for the session that the program belongs to; null if the
/// module has none. Programs of a session that is not stateful call from several threads at once.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_native_state(call: Option<&NativeCall>) -> *mut c_void {
    call.map_or(std::ptr::null_mut(), |call| call.state)
}

/// How several sources are waited for.
#[repr(u32)]
pub enum ConditionKind {
    /// Until the one source is ready.
    Until = 0,
    /// Until the first of them is ready, or fails.
    Any = 1,
    /// Until all of them are ready, or one fails.
    All = 2,
}

/// A condition over sources of C's.
pub(crate) fn condition(kind: u32, sources: *const *const Source, count: usize) -> Result<Condition> {
    let sources = array(sources, count, "sources")?;
    let shared: Vec<_> = sources
        .iter()
        // SAFETY: B1.
        .map(|source| Source::get(unsafe { source.as_ref() }, "a source").cloned())
        .collect::<Result<_>>()?;
    match (kind, shared.len()) {
        (_, 0) => Err(invalid("a wait needs at least one source")),
        (0, 1) => Ok(Condition::any(shared)),
        (0, many) => Err(invalid(format!("a wait until needs one source, not {many}"))),
        (1, _) => Ok(Condition::any(shared)),
        (2, _) => Ok(Condition::all(shared)),
        (other, _) => Err(invalid(format!("{other} is no raddle_condition_kind_t"))),
    }
}

/// Inside a function of the host's: suspends the call until the sources are ready (`condition` is a
/// `raddle_condition_kind_t`), or until `deadline`, and has `resume` called then. The sources are borrowed. `destroy` ends
/// `user_data`, once, after `resume` or without it; on failure it is not called.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_native_wait(
    call: Option<&mut NativeCall>,
    condition_kind: u32,
    sources: *const *const Source,
    source_count: usize,
    deadline: Moment,
    resume: NativeResumeCallback,
    user_data: *mut c_void,
    destroy: Destroy,
) -> *mut Status {
    fallible(|| {
        let condition = condition(condition_kind, sources, source_count)?;
        suspend(call, Some(Wait { condition, deadline_ns: deadline }), resume, user_data, destroy)
    })
}

/// Inside a function of the host's: suspends the call until others have had their turn. Otherwise as `raddle_native_wait`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_native_yield(
    call: Option<&mut NativeCall>,
    resume: NativeResumeCallback,
    user_data: *mut c_void,
    destroy: Destroy,
) -> *mut Status {
    fallible(|| suspend(call, None, resume, user_data, destroy))
}
