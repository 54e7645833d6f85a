//! A session: modules that see each other, and their state.
//!
//! Not here: linking (the VM's context), calls (`function.rs`).

use crate::detached::{DetachedWait, WaitFrame};
use crate::files::failed;
use crate::function::Function;
use crate::observer::Observer;
use crate::opening;
use crate::standard::{self, Access, FilePool};
use raddle_hal::{AwaitCounts, Device};
use raddle_status::{Result, ResultExt};
use raddle_task::{Executor, Scope};
use raddle_vm::{Bytes, Context, Limits, Module, NativeModule, Program, Registry, Suspended, WaitOutcome};
use raddle_wait::{Moment, Permits};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Collects the modules of a session, in order of dependency. The standard module `raddle` is there from the start.
#[must_use = "call `build`"]
pub struct SessionBuilder {
    executor: Executor,
    observer: Option<Arc<Observer>>,
    scope: Scope,
    limits: Limits,
    registry: Registry,
    access: Access,
    pool: Option<FilePool>,
    parts: Vec<Part>,
    devices: Vec<Device>,
    awaits: AwaitCounts,
}

enum Part {
    Native(NativeModule),
    Bytecode(Module),
}

impl SessionBuilder {
    pub(crate) fn new(executor: &Executor, observer: Option<Arc<Observer>>) -> SessionBuilder {
        SessionBuilder {
            executor: executor.clone(),
            observer,
            scope: executor.scope("session"),
            limits: Limits::default(),
            registry: Registry::new(),
            access: Access::default(),
            pool: None,
            parts: Vec::new(),
            devices: Vec::new(),
            awaits: AwaitCounts::default(),
        }
    }

    /// What the programs of the session may use.
    pub fn limits(mut self, limits: Limits) -> SessionBuilder {
        self.limits = limits;
        self
    }

    /// What the programs may reach through the standard module beyond the session: nothing by default.
    pub fn access(mut self, access: Access) -> SessionBuilder {
        self.access = access;
        self
    }

    /// Has regular files read and written by the threads of this pool; without it the workers do, and block.
    pub fn file_pool(mut self, pool: FilePool) -> SessionBuilder {
        self.pool = Some(pool);
        self
    }

    /// Adds a module written in Rust.
    pub fn native(mut self, module: NativeModule) -> SessionBuilder {
        self.parts.push(Part::Native(module));
        self
    }

    /// Adds a device, which programs find through the module `hal`. The first that suits a program is the one it uses.
    pub fn device(mut self, device: &Device) -> SessionBuilder {
        self.devices.push(device.clone());
        self
    }

    /// Adds a module written in Rust that needs the executor: for its clock, wait set, scopes or jobs.
    ///
    /// # Errors
    /// What making it fails with.
    pub fn native_with(self, make: impl FnOnce(&Executor) -> Result<NativeModule>) -> Result<SessionBuilder> {
        let module = make(&self.executor)?;
        Ok(self.native(module))
    }

    /// A name for dumps.
    pub fn name(mut self, name: impl Into<String>) -> SessionBuilder {
        self.scope = self.executor.scope(name);
        self
    }

    /// Adds a compiled module that is loaded already.
    pub fn module(mut self, module: Module) -> SessionBuilder {
        self.parts.push(Part::Bytecode(module));
        self
    }

    /// How often the programs of the session await fences, `__init` functions included.
    pub fn awaits(&self) -> &AwaitCounts {
        &self.awaits
    }

    /// Adds a compiled module (`.vmfb`).
    ///
    /// # Errors
    /// What is wrong with it: it is verified before anything runs.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Result<SessionBuilder> {
        Ok(self.module(Module::load(bytes)?))
    }

    /// Adds a compiled module from a file, mapped where the system can: its constants are used where they lie. The file must
    /// not be changed while the session lives; `bytes(std::fs::read(path)?)` keeps no hold of it.
    ///
    /// Blocks: for reading it.
    ///
    /// # Errors
    /// NOT_FOUND and other failures of reading; as for [`bytes`](SessionBuilder::bytes).
    pub fn path(self, path: impl AsRef<Path>) -> Result<SessionBuilder> {
        let path = path.as_ref();
        let bytes = raddle_hal::map_file(path).or_else(|_| std::fs::read(path).map(Bytes::from));
        let bytes = bytes.map_err(|error| failed("read", path, &error))?;
        self.bytes(bytes).within(|| format!("in {}", path.display()))
    }

    /// Links the modules and runs their `__init` functions, on this thread; where one waits, the executor goes on with it.
    ///
    /// Blocks: until the `__init` functions have returned.
    ///
    /// # Errors
    /// NOT_FOUND: an import or a dependency is missing; otherwise what linking or an `__init` function fails with.
    pub fn build(mut self) -> Result<Session> {
        if !self.devices.is_empty() {
            self.parts.insert(0, Part::Native(raddle_hal::module(&self.devices, &self.awaits)?));
        }
        let standard = standard::module(&self.executor, self.access, self.pool.take());
        self.parts.insert(0, Part::Native(standard));
        let natives = self.parts.iter().filter_map(|part| match part {
            Part::Native(module) => Some(module),
            Part::Bytecode(_) => None,
        });
        for ty in natives.flat_map(|module| module.types()) {
            self.registry.insert(*ty)?;
        }
        let exports = self.parts.iter().rev().find_map(|part| match part {
            Part::Bytecode(module) => {
                Some(module.exports().iter().map(|export| export.name.to_string()).collect())
            }
            Part::Native(_) => None,
        });
        let mut builder = Context::builder().limits(self.limits);
        for part in self.parts {
            builder = match part {
                Part::Native(module) => builder.native(module),
                Part::Bytecode(module) => builder.program(Program::new(module, &self.registry)?),
            };
        }
        let context = opening::open(&self.scope, builder)?;
        let turn = context.is_stateful().then(|| Arc::new(Permits::new(1)));
        let exports = exports.unwrap_or_default();
        let (scope, observer, awaits) = (self.scope, self.observer, self.awaits);
        Ok(Session { context, scope, turn, observer, awaits, exports })
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionBuilder({} modules)", self.parts.len())
    }
}

/// Linked modules with their state. Cheap to clone; thread-safe.
///
/// If its programs change globals, one invocation runs at a time; the others wait without a thread.
#[derive(Clone)]
pub struct Session {
    context: Context,
    scope: Scope,
    turn: Option<Arc<Permits>>,
    observer: Option<Arc<Observer>>,
    awaits: AwaitCounts,
    exports: Arc<[String]>,
}

impl Session {
    /// How often its programs awaited fences, and how often that suspended them.
    pub fn awaits(&self) -> &AwaitCounts {
        &self.awaits
    }

    /// The function with this name: `module.function`, or an export of the last module.
    ///
    /// # Errors
    /// NOT_FOUND: there is none.
    pub fn function(&self, name: &str) -> Result<Function> {
        let entry = self.context.function(name)?;
        Ok(Function::new(entry, &self.scope, self.turn.clone(), self.observer.clone()))
    }

    /// The same session; what its functions start belongs to another scope.
    pub(crate) fn in_scope(&self, scope: &Scope) -> Session {
        Session { scope: scope.clone(), ..self.clone() }
    }

    /// A session with the same modules and a copy of their state as it is now; its invocations see nothing of this one's.
    /// Objects that globals refer to are shared. A few microseconds.
    ///
    /// # Errors
    /// UNAVAILABLE: the session is stateful and an invocation is under way.
    pub fn fork(&self) -> Result<Session> {
        let context = self.context.fork()?;
        let turn = context.is_stateful().then(|| Arc::new(Permits::new(1)));
        Ok(Session { context, turn, ..self.clone() })
    }

    /// The low level, as [`Runtime::wait_invoke_async`](crate::Runtime::wait_invoke_async), in this session's scope: for
    /// hosts that have the session at hand and not the runtime.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the runtime is shutting down; the call is dropped.
    pub fn wait_invoke_async(
        &self,
        frame: WaitFrame,
        deadline: Moment,
        callback: impl FnOnce(Suspended, WaitOutcome) + Send + 'static,
    ) -> Result<DetachedWait> {
        DetachedWait::start(&self.scope, frame, deadline, Box::new(callback))
    }

    /// The names of the functions that the last module exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().map(|name| &**name)
    }

    /// Whether invocations run one at a time.
    pub fn is_stateful(&self) -> bool {
        self.turn.is_some()
    }

    /// The linked modules.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The scope of its invocations: how many run, when it is idle, how to cancel them all.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, {:?})", self.context, self.scope)
    }
}
