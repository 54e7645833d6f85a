//! One run of a command buffer: regions one after the other, the tiles of a region inline or spread over workers.
//!
//! Not here: what the commands are (`command_buffer.rs`), when a run begins (`queue.rs`), how threads claim tiles (the graphs
//! of `raddle-task`).
//!
//! ```text
//!  begin ──► Active::advance ──┬─ region is small ──► runs here ──► next region …
//!            (one driver)      ├─ no region left ──► references dropped ──► promise kept
//!                              └─ region pays ──► a run of the execution's graph: [units] ──► region_ended ──► advance …
//! ```
//! The thread that drives a run has the duty to bring it on; it never waits. It lends itself to a region that it spreads
//! and leaves when nothing of it is at hand; whichever thread ends the region is the next driver.
//!
//! # Invariants
//! - I1: one thread drives a run at a time: the one that began it, then the one that ran the last task of its
//!   region's graph. (by construction: `region_ended` is one task behind all units)
//! - I2: addresses that were resolved stay valid: the run holds the command buffer and its table, and those the buffers.
//! - I3: references are dropped before the promise is kept, so that who waits for the fence finds the memory free.
//! - I4: the promise is kept once, with the first failure: also when a task panics or the executor discards it.

use crate::command_buffer::{Command, CommandBuffer, Dispatch, Grid, Recorded, Table};
use crate::device::Inner as Device;
use crate::executable::Call;
use crate::fence::Promise;
use crate::memory::{Address, Block, Span};
use crate::tuning::*;
use raddle_status::{Code, Error, Result, panic_message};
use raddle_sync::Mutex;
use raddle_task::{Graph, GraphBuilder, TileCx};
use raddle_vm::RefOf;
use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Instant;

/// The parts of a run that are used again for the next.
#[derive(Default)]
pub(crate) struct Scratch {
    /// What the run brings along; empty while it lies in the device's pool.
    pub(crate) table: Table,
    addresses: Vec<Address>,
    lengths: Vec<usize>,
    units: Vec<Unit>,
    local: Option<Block>,
}

/// What one claim of a region does.
struct Unit {
    command: u32,
    /// Tiles of a dispatch, bytes of a transfer.
    part: Range<u64>,
}

/// A run that is under way.
pub(crate) struct Active {
    commands: RefOf<CommandBuffer>,
    promise: Promise,
    scratch: Box<Scratch>,
    region: usize,
}

/// Where a driver stands.
enum Stand {
    Done,
    /// The next region is to be spread.
    Spread,
}

impl Active {
    /// A run with the table that lies in `scratch`.
    pub(crate) fn new(commands: RefOf<CommandBuffer>, scratch: Box<Scratch>, promise: Promise) -> Active {
        Active { commands, promise, scratch, region: 0 }
    }

    /// Runs it, at once or spread; keeps the promise in the end.
    pub(crate) fn begin(mut self, device: &Arc<Device>) {
        let started = self.resolve().and_then(|()| self.advance(device));
        match started {
            Ok(Stand::Spread) => Execution::spread_first(device, self),
            Ok(Stand::Done) => self.end(device, Ok(())),
            Err(error) => self.end(device, Err(error)),
        }
    }

    /// Finds the addresses of everything that the commands refer to (I2).
    fn resolve(&mut self) -> Result {
        let Scratch { table, addresses, lengths, .. } = &mut *self.scratch;
        addresses.clear();
        lengths.clear();
        for reference in &self.commands.recorded()?.references {
            let span = match &reference.buffer {
                Some(buffer) => buffer.part(reference.offset, reference.length)?,
                None => {
                    // The table was checked when the run was submitted.
                    let (entry, buffer) = reference.entry(table)?;
                    let (offset, length) = entry.checked_range_of(reference.offset, reference.length);
                    buffer.part(offset, length)?
                }
            };
            addresses.push(Address(span.address()));
            lengths.push(span.bytes());
        }
        Ok(())
    }

    /// Runs regions on this thread as long as that pays.
    fn advance(&mut self, device: &Device) -> Result<Stand> {
        let Active { commands, scratch, region: next, .. } = self;
        let recorded = commands.recorded()?;
        while *next < recorded.regions.len() {
            let region = recorded.region(*next);
            let workers = device.worker_count();
            if workers > 1 && scratch.estimate(recorded, region.clone())? >= device.spread_ns_min {
                scratch.cut(recorded, region.clone(), workers)?;
                if scratch.units.len() > 1 {
                    return Ok(Stand::Spread);
                }
            }
            scratch.run_inline(recorded, region)?;
            *next += 1;
        }
        Ok(Stand::Done)
    }

    /// Frees what was used and keeps the promise (I3).
    fn end(self, device: &Device, result: Result) {
        let Active { commands, promise, mut scratch, .. } = self;
        scratch.table.clear();
        device.scratches.keep(scratch);
        drop(commands);
        promise.keep(result);
    }

    /// Does one unit of the region, on whatever thread claimed it.
    fn unit(&self, device: &Device, index: usize, cx: &TileCx<'_>) -> Result {
        let recorded = self.commands.recorded()?;
        let Some(Unit { command, part }) = self.scratch.units.get(index) else { return Ok(()) };
        let command = &recorded.commands[*command as usize];
        let Command::Dispatch(dispatch) = command else {
            return self.scratch.transfer(recorded, command, part.clone());
        };
        let mut memory = match recorded.local_bytes {
            0 => None,
            bytes => Some(cx.local_memory(bytes)?),
        };
        let local = memory.as_mut().and_then(|memory| {
            let bytes = memory.len();
            std::ptr::NonNull::new(memory.as_mut_ptr()).map(|address| (address, bytes))
        });
        let place = (cx.worker_index() as u32, device.worker_count() as usize);
        let call = self.scratch.call(recorded, dispatch, self.scratch.grid(dispatch)?, local, place);
        timed(dispatch, &call, part.clone())
    }
}

/// Everything of a region is inside the run that has resolved it (I2).
impl Scratch {
    fn span(&self, reference: u32) -> Span<'_> {
        let index = reference as usize;
        span_of(self.addresses[index], self.lengths[index], self)
    }

    fn grid(&self, dispatch: &Dispatch) -> Result<[u32; 3]> {
        let reference = match dispatch.grid {
            Grid::Direct(grid) => return Ok(grid),
            Grid::Indirect(reference) => reference,
        };
        let short = || Error::new(Code::OutOfRange, "the workgroup counts lie outside their buffer");
        let mut bytes = [0; 12];
        self.span(reference).part(0, 12).ok_or_else(short)?.read(&mut bytes);
        let word = |index: usize| u32::from_le_bytes(std::array::from_fn(|at| bytes[4 * index + at]));
        Ok([word(0), word(1), word(2) & 0xffff])
    }

    /// What a region is likely to take. Unit: ns.
    fn estimate(&self, recorded: &Recorded, region: Range<usize>) -> Result<u64> {
        let mut sum = 0u64;
        for command in &recorded.commands[region] {
            sum = sum.saturating_add(match command {
                Command::Dispatch(dispatch) => {
                    let tiles = tiles(self.grid(dispatch)?);
                    tiles.saturating_mul(dispatch.executable.cost_ns(dispatch.function))
                }
                transfer => self.transfer_bytes(transfer) / TRANSFER_BYTES_PER_NS,
            });
        }
        Ok(sum)
    }

    fn transfer_bytes(&self, command: &Command) -> u64 {
        match command {
            Command::Fill { target, .. } | Command::Copy { target, .. } | Command::Update { target, .. } => {
                self.span(*target).bytes() as u64
            }
            Command::Dispatch(_) => 0,
        }
    }

    /// Cuts a region into units.
    fn cut(&mut self, recorded: &Recorded, region: Range<usize>, workers: u64) -> Result {
        let mut units = std::mem::take(&mut self.units);
        units.clear();
        for index in region {
            let (total, step) = match &recorded.commands[index] {
                Command::Dispatch(dispatch) => {
                    let total = tiles(self.grid(dispatch)?);
                    let least = CLAIM_NS_MIN / dispatch.executable.cost_ns(dispatch.function).max(1);
                    (total, least.max(total / (workers * CLAIMS_PER_WORKER)).max(1))
                }
                transfer => (self.transfer_bytes(transfer), TRANSFER_PIECE_BYTES),
            };
            let mut start = 0;
            while start < total {
                let end = total.min(start.saturating_add(step));
                units.push(Unit { command: index as u32, part: start..end });
                start = end;
            }
        }
        self.units = units;
        Ok(())
    }

    fn run_inline(&mut self, recorded: &Recorded, region: Range<usize>) -> Result {
        let mut local = self.local.take().filter(|local| local.bytes() >= recorded.local_bytes);
        if local.is_none() && recorded.local_bytes > 0 {
            let none = || Error::new(Code::ResourceExhausted, "no memory for a kernel's local memory");
            local = Some(Block::new(recorded.local_bytes).ok_or_else(none)?);
        }
        let memory = local.as_ref().map(|block| (block.address(), block.bytes()));
        let mut run = |command: &Command| match command {
            Command::Dispatch(dispatch) => {
                let grid = self.grid(dispatch)?;
                let call = self.call(recorded, dispatch, grid, memory, (0, 1));
                let tiles = 0..tiles(grid);
                match dispatch.executable.is_to_be_timed(dispatch.function) {
                    false => dispatch.executable.run(&call, tiles),
                    true => timed(dispatch, &call, tiles),
                }
            }
            transfer => {
                let all = 0..self.transfer_bytes(transfer);
                self.transfer(recorded, transfer, all)
            }
        };
        let result = recorded.commands[region].iter().try_for_each(&mut run);
        self.local = local;
        result
    }

    fn call<'a>(
        &'a self,
        recorded: &'a Recorded,
        dispatch: &Dispatch,
        grid: [u32; 3],
        local: Option<(std::ptr::NonNull<u8>, usize)>,
        (processor, concurrency): (u32, usize),
    ) -> Call<'a> {
        let bindings = dispatch.bindings.start as usize..dispatch.bindings.end as usize;
        Call {
            function: dispatch.function,
            grid,
            constants: &recorded.constants
                [dispatch.constants.start as usize..dispatch.constants.end as usize],
            addresses: &self.addresses[bindings.clone()],
            lengths: &self.lengths[bindings.clone()],
            references: &recorded.references[bindings],
            table: &self.table,
            local,
            processor,
            concurrency,
        }
    }

    /// Does a part of a transfer. Unit of the part: bytes.
    fn transfer(&self, recorded: &Recorded, command: &Command, part: Range<u64>) -> Result {
        let (offset, length) = (part.start, part.end - part.start);
        let piece = |reference: &u32| self.span(*reference).part(offset, length).ok_or_else(unequal);
        match command {
            Command::Fill { target, pattern, pattern_bytes } => {
                let target = piece(target)?;
                if !target.bytes().is_multiple_of(*pattern_bytes) {
                    return Err(Error::new(
                        Code::InvalidArgument,
                        "a fill of a range that is no whole patterns",
                    ));
                }
                target.fill(*pattern, *pattern_bytes);
            }
            Command::Copy { source, target } => piece(target)?.copy_from(piece(source)?),
            Command::Update { target, bytes } => {
                let bytes = &recorded.data[bytes.start as usize..bytes.end as usize];
                let bytes = bytes.get(offset as usize..(offset + length) as usize).ok_or_else(unequal)?;
                piece(target)?.write(bytes);
            }
            Command::Dispatch(_) => {}
        }
        Ok(())
    }
}

/// The bytes behind an address that a run has resolved and keeps.
#[allow(unsafe_code)]
fn span_of(address: Address, bytes: usize, _kept_by: &Scratch) -> Span<'_> {
    // SAFETY: I2: the address came from a span of as many bytes of a buffer that the run, whose the scratch is, holds.
    unsafe { Span::new(address.0, bytes) }
}

#[cold]
fn unequal() -> Error {
    Error::new(Code::OutOfRange, "a transfer between ranges of different lengths")
}

fn tiles(grid: [u32; 3]) -> u64 {
    // Three factors of at most 32, 32 and 16 bits can exceed 64.
    grid.iter().fold(1u64, |tiles, extent| tiles.saturating_mul((*extent).into()))
}

fn timed(dispatch: &Dispatch, call: &Call<'_>, tiles: Range<u64>) -> Result {
    let (start, count) = (Instant::now(), tiles.end - tiles.start);
    let result = dispatch.executable.run(call, tiles);
    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    dispatch.executable.learn(dispatch.function, took, count);
    result
}

raddle_sync::local!(DEPTH: Cell<u32> = Cell::new(0));

/// A place for a run whose regions are spread, with the graph that spreads them. Used again for other runs.
pub(crate) struct Execution {
    graph: OnceLock<Arc<Graph>>,
    /// The run, with its device.
    active: RwLock<Option<(Arc<Device>, Active)>>,
    failure: Mutex<Option<Error>>,
    /// Itself, while a run is under way: its graph's tasks hold it weakly.
    held: Mutex<Option<Arc<Execution>>>,
}

impl Execution {
    fn new() -> Arc<Execution> {
        let execution = Arc::new(Execution {
            graph: OnceLock::new(),
            active: RwLock::new(None),
            failure: Mutex::new(None),
            held: Mutex::new(None),
        });
        let is_first = execution.graph.set(execution.new_graph()).is_ok();
        debug_assert!(is_first, "an execution has one graph");
        execution
    }

    /// The units of a region, and what comes after them.
    fn new_graph(self: &Arc<Execution>) -> Arc<Graph> {
        let mut builder = GraphBuilder::new();
        let [units, unit, ended, dropped] = std::array::from_fn(|_| Arc::downgrade(self));
        let units = builder.dispatch_indirect(
            move |_| units.upgrade().map_or([0; 3], |execution| [execution.unit_count(), 1, 1]),
            move |cx| {
                if let Some(execution) = unit.upgrade() {
                    execution.unit(cx);
                }
            },
        );
        let end = builder.call(move |_| {
            if let Some(execution) = ended.upgrade() {
                execution.region_ended();
            }
        });
        builder.cleanup(end, move |result| {
            if let (Err(error), Some(execution)) = (result, dropped.upgrade()) {
                execution.finish(Err(error.within("in a command buffer that the executor discarded")));
            }
        });
        builder.edge(units, end).expect("both are tasks of this graph");
        builder.build().expect("two tasks and one edge")
    }

    /// Spreads the next region of a run, lending this thread to it.
    fn spread_first(device: &Arc<Device>, active: Active) {
        let execution = device.executions.pop().unwrap_or_else(Execution::new);
        *write(&execution.active) = Some((device.clone(), active));
        *execution.held.lock() = Some(execution.clone());
        execution.spread(device);
    }

    /// Spreads the region that was cut. Another thread may drive the run when this returns (I1).
    fn spread(&self, device: &Device) {
        let graph = self.graph.get().expect("set when it was made");
        device.counts.spread_regions.add(1);
        let depth = DEPTH.with(|depth| depth.replace(depth.get() + 1));
        let started = match depth < NESTED_DRIVES_MAX {
            true => device.scope.lend(graph),
            false => device.scope.submit(graph),
        };
        DEPTH.with(|place| place.set(depth));
        if let Err(error) = started {
            self.finish(Err(error));
        }
    }

    fn unit_count(&self) -> u32 {
        read(&self.active).as_ref().map_or(0, |(_, active)| active.scratch.units.len() as u32)
    }

    fn unit(&self, cx: &TileCx<'_>) {
        if self.failure.lock().is_some() {
            return;
        }
        let active = read(&self.active);
        let Some((device, active)) = active.as_ref() else { return };
        let ran = catch_unwind(AssertUnwindSafe(|| active.unit(device, cx.tile[0] as usize, cx)));
        if let Err(error) = ran.unwrap_or_else(|payload| Err(panic_message(&*payload))) {
            self.failure.lock().get_or_insert(error);
        }
    }

    /// All units of the region have run: this thread drives the run on.
    fn region_ended(&self) {
        // A statement of its own: `finish` takes the lock again.
        let failure = self.failure.lock().take();
        if let Some(error) = failure {
            return self.finish(Err(error));
        }
        let (advanced, device) = {
            let mut place = write(&self.active);
            let Some((device, active)) = place.as_mut() else { return };
            active.region += 1;
            (catch_unwind(AssertUnwindSafe(|| active.advance(device))), device.clone())
        };
        match advanced.unwrap_or_else(|payload| Err(panic_message(&*payload))) {
            Ok(Stand::Spread) => self.spread(&device),
            Ok(Stand::Done) => self.finish(Ok(())),
            Err(error) => self.finish(Err(error)),
        }
    }

    /// Ends the run; the execution can be used again (I4).
    fn finish(&self, result: Result) {
        let Some((device, active)) = write(&self.active).take() else { return };
        self.failure.lock().take();
        if let Some(this) = self.held.lock().take() {
            device.executions.keep(this);
        }
        active.end(&device, result);
    }
}

fn read<T>(place: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    place.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn write<T>(place: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    place.write().unwrap_or_else(|poisoned| poisoned.into_inner())
}
