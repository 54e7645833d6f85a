//! `hal.device`: a queue of operations on this processor.
//!
//! Not here: operations (`queue.rs`), runs of command buffers (`execution.rs`).
//!
//! A device has no thread of its own. Its operations run on the thread that makes them ready; what is large is spread over the
//! workers of the executor that it was made for.

use crate::allocator::Allocator;
use crate::command_buffer::CommandPool;
use crate::execution::{Execution, Scratch};
use crate::fence::FencePool;
use crate::pool::Pool;
use crate::queue::Parked;
use crate::tuning::SPREAD_NS_MIN;
use raddle_executable::{LoadOptions, NativeCode};
use raddle_status::{Code, Error, Result};
use raddle_sync::counter::{AtomicU64, Relaxed};
use raddle_task::{Executor, ProgramRun, Scope};
use raddle_vm::{Object, RefOf};
use raddle_wait::Condition;
use std::fmt;
use std::sync::Arc;

/// A number that only grows, for statistics.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a device has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceCounts {
    /// Operations that ran where they were submitted: their fences were reached.
    pub inline_operations: u64,
    /// Operations that waited for a fence.
    pub parked_operations: u64,
    /// Operations that did not run because what they waited for had failed.
    pub failed_waits: u64,
    /// Regions of command buffers that were spread over workers.
    pub spread_regions: u64,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) inline_operations: Count,
    pub(crate) parked_operations: Count,
    pub(crate) failed_waits: Count,
    pub(crate) spread_regions: Count,
}

/// Builds a [`Device`].
#[must_use = "call `build`"]
pub struct DeviceBuilder {
    scope: Scope,
    workers: usize,
    id: String,
    memory_bytes_max: u64,
    executables: LoadOptions,
    imports: bool,
    held: Option<(Held, Condition)>,
    bytecode_steps_max: u64,
    spread_ns_min: u64,
}

/// Which operations a condition holds back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// All of them: the device starts later than its programs.
    All,
    /// Reads of files: what they hold is still on its way.
    Reads,
}

impl DeviceBuilder {
    /// What programs ask for with patterns such as `local*`: by default `local-task`.
    pub fn id(mut self, id: impl Into<String>) -> DeviceBuilder {
        self.id = id.into();
        self
    }

    /// Runs everything on the thread that makes it ready, however large it is.
    pub fn inline_only(mut self) -> DeviceBuilder {
        self.workers = 1;
        self
    }

    /// What the work between two barriers must be expected to take on one thread to be spread over the workers. The default was
    /// measured (`cargo run --release --package raddle-hal --example spread`); a busy machine, or one whose threads wake
    /// slowly, wants more. Unit: ns.
    pub fn spread_ns_min(mut self, ns: u64) -> DeviceBuilder {
        self.spread_ns_min = ns;
        self
    }

    /// The memory that its buffers may take at a time; by default what the machine has. Unit: bytes.
    pub fn memory_bytes_max(mut self, bytes: u64) -> DeviceBuilder {
        self.memory_bytes_max = bytes;
        self
    }

    /// Whether executables of machine code are loaded, besides those of bytecode. Such code runs with the rights of the process: only for modules whose
    /// makers you would run a program of, as [`NativeCode::run`] has you vouch. By default it is not.
    pub fn native_code(mut self, allowed: NativeCode) -> DeviceBuilder {
        self.executables.native = allowed;
        self
    }

    /// How much a workgroup of a bytecode kernel (VMVX) may do; one that does more fails its dispatch with RESOURCE_EXHAUSTED. By
    /// default there is no limit: a kernel also ends when the device's scope is cancelled. Unit: steps of the virtual machine.
    pub fn bytecode_steps_max(mut self, steps: u64) -> DeviceBuilder {
        self.bytecode_steps_max = steps;
        self
    }

    /// Everything about how native executables are loaded: the right to run native code, the processor's features, functions
    /// that kernels import.
    pub fn executables(mut self, options: LoadOptions) -> DeviceBuilder {
        self.executables = options;
        self
    }

    /// Whether constants are used where they lie in the module, without a copy. By default they are, where their
    /// alignment allows it.
    pub fn import_constants(mut self, allowed: bool) -> DeviceBuilder {
        self.imports = allowed;
        self
    }

    /// Makes operations wait for this besides their fences. Programs run on meanwhile, up to where they wait for one.
    pub fn hold(mut self, held: Held, until: impl Into<Condition>) -> DeviceBuilder {
        self.held = Some((held, until.into()));
        self
    }

    /// The device.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: the id is empty.
    pub fn build(self) -> Result<Device> {
        if self.id.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "a device needs an id"));
        }
        let allocator = Allocator::new(self.memory_bytes_max);
        Ok(Device(Arc::new(Inner {
            scope: self.scope,
            workers: self.workers.max(1) as u64,
            id: self.id,
            executables: self.executables,
            imports: self.imports,
            held: self.held,
            bytecode_steps_max: self.bytecode_steps_max,
            spread_ns_min: self.spread_ns_min,
            allocator_object: RefOf::new(allocator.clone()),
            allocator,
            fences: Arc::default(),
            commands: Arc::default(),
            parked: Pool::default(),
            scratches: Pool::default(),
            executions: Pool::default(),
            counts: Counts::default(),
        })))
    }
}

impl fmt::Debug for DeviceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceBuilder({})", self.id)
    }
}

/// See [`Device`].
pub(crate) struct Inner {
    pub(crate) scope: Scope,
    workers: u64,
    pub(crate) id: String,
    pub(crate) executables: LoadOptions,
    pub(crate) imports: bool,
    pub(crate) held: Option<(Held, Condition)>,
    pub(crate) bytecode_steps_max: u64,
    pub(crate) spread_ns_min: u64,
    pub(crate) allocator: Allocator,
    pub(crate) allocator_object: RefOf<Allocator>,
    pub(crate) fences: Arc<FencePool>,
    pub(crate) commands: Arc<CommandPool>,
    /// Operations that waited, for the next that must.
    pub(crate) parked: Pool<ProgramRun<Parked>>,
    pub(crate) scratches: Pool<Box<Scratch>>,
    pub(crate) executions: Pool<Arc<Execution>>,
    pub(crate) counts: Counts,
}

impl Inner {
    /// How many threads a region may be spread over.
    pub(crate) fn worker_count(&self) -> u64 {
        self.workers
    }
}

/// A device of this processor. Cloning shares it; thread-safe. It does not keep its executor: operations that wait when that
/// ends fail with CANCELLED.
#[derive(Clone)]
pub struct Device(pub(crate) Arc<Inner>);

impl Object for Device {
    const NAME: &'static str = "hal.device";
}

impl Device {
    /// A builder of a device whose waits and large work are carried by this executor.
    pub fn builder(executor: &Executor) -> DeviceBuilder {
        DeviceBuilder {
            scope: executor.scope("device"),
            workers: executor.worker_count(),
            id: "local-task".to_owned(),
            memory_bytes_max: u64::MAX,
            executables: LoadOptions::default(),
            imports: true,
            held: None,
            bytecode_steps_max: u64::MAX,
            spread_ns_min: SPREAD_NS_MIN,
        }
    }

    /// By what programs find it.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Its memory.
    pub fn allocator(&self) -> &Allocator {
        &self.0.allocator
    }

    /// The scope of its operations that wait or are spread: how many there are, when none is left.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// What it has done so far.
    pub fn counts(&self) -> DeviceCounts {
        let counts = &self.0.counts;
        DeviceCounts {
            inline_operations: counts.inline_operations.get(),
            parked_operations: counts.parked_operations.get(),
            failed_waits: counts.failed_waits.get(),
            spread_regions: counts.spread_regions.get(),
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.id())
    }
}
