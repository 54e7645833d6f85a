//! `hal.command_buffer`: commands that are recorded once and run any number of times, several runs at a time.
//!
//! Not here: running them (`execution.rs`). Whatever belongs to one run lives there; a finished buffer never changes.
//!
//! ```text
//!  new ── record … ── execution_barrier ── record … ──► finalize ──► immutable
//!         region 0                          region 1
//! ```
//! A buffer that nobody holds any more goes back to its device, empty, so that programs which record in every call allocate
//! in their first ones only.
//!
//! Commands of one region are independent of each other; a barrier separates everything before from everything after.

use crate::buffer::Buffer;
use crate::executable::Executable;
use crate::flags::{WHOLE_BUFFER, access, usage};
use crate::pool::Pool;
use crate::tuning::{BINDINGS_MAX, COMMANDS_MAX, CONSTANTS_MAX, UPDATE_BYTES_MAX};
use raddle_status::{Code, Error, Result};
use raddle_sync::Mutex;
use raddle_vm::{Dead, Object, RefOf};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// See the head of this file.
pub struct CommandBuffer {
    mode: u32,
    recorder: Mutex<Recorder>,
    recorded: OnceLock<Recorded>,
    /// Where it goes when the last reference is gone. Not while it lies there.
    home: Option<Arc<CommandPool>>,
}

/// Empty command buffers, to be used again.
pub(crate) type CommandPool = Pool<Dead<CommandBuffer>>;

impl Object for CommandBuffer {
    const NAME: &'static str = "hal.command_buffer";

    fn recycle(mut dead: Dead<CommandBuffer>) {
        let Some(home) = dead.home.take() else { return };
        let finished = dead.recorded.take();
        let recorder = dead.recorder.get_mut();
        let mut recorded = finished.or_else(|| recorder.recorded.take()).unwrap_or_default();
        recorded.clear();
        *recorder = Recorder { recorded: Some(recorded), debug_depth: 0 };
        home.keep(dead);
    }
}

/// Bits of a command buffer's mode.
pub mod mode {
    /// It is run once.
    pub const ONE_SHOT: u32 = 1;
}

/// What a command reads or writes: a buffer, or a slot of the table that each run brings along.
pub(crate) struct BufferRef {
    pub(crate) buffer: Option<RefOf<Buffer>>,
    pub(crate) slot: u32,
    pub(crate) offset: u64,
    /// May be [`WHOLE_BUFFER`].
    pub(crate) length: u64,
    /// What the command does with it, which the buffer must allow: usage and access. Known once it is recorded.
    uses: (u32, u32),
}

/// What a run brings for a slot.
pub(crate) struct TableEntry {
    pub(crate) buffer: Option<RefOf<Buffer>>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The buffers of one run, by slot.
pub(crate) type Table = Vec<TableEntry>;

/// The number of workgroups, or where it lies: an index into the references.
#[derive(Clone, Copy)]
pub(crate) enum Grid {
    Direct([u32; 3]),
    Indirect(u32),
}

/// A command; buffers are indices into the references.
pub(crate) enum Command {
    Fill { target: u32, pattern: [u8; 4], pattern_bytes: usize },
    Copy { source: u32, target: u32 },
    Update { target: u32, bytes: Range<u32> },
    Dispatch(Dispatch),
}

pub(crate) struct Dispatch {
    pub(crate) executable: RefOf<Executable>,
    pub(crate) function: u32,
    pub(crate) grid: Grid,
    pub(crate) constants: Range<u32>,
    pub(crate) bindings: Range<u32>,
}

/// The commands in their final form.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) commands: Vec<Command>,
    /// Where each region ends.
    pub(crate) regions: Vec<u32>,
    pub(crate) references: Vec<BufferRef>,
    pub(crate) constants: Vec<u32>,
    pub(crate) data: Vec<u8>,
    /// The most that a kernel of it wants. Unit: bytes.
    pub(crate) local_bytes: usize,
}

impl Recorded {
    /// The commands of a region.
    pub(crate) fn region(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.regions[index - 1] };
        start as usize..self.regions[index] as usize
    }
}

#[derive(Default)]
struct Recorder {
    /// `None` once it is finished.
    recorded: Option<Recorded>,
    debug_depth: u32,
}

impl BufferRef {
    /// A null buffer means the slot.
    pub(crate) fn new(buffer: Option<RefOf<Buffer>>, slot: u32, offset: u64, length: u64) -> BufferRef {
        BufferRef { buffer, slot, offset, length, uses: (0, 0) }
    }

    /// The same, used so: checked now if it has a buffer, else at each run.
    fn used(mut self, wanted_usage: u32, wanted_access: u32) -> Result<BufferRef> {
        self.uses = (wanted_usage, wanted_access);
        if let Some(buffer) = &self.buffer {
            buffer.check_use(wanted_usage, wanted_access)?;
            buffer.check_range(self.offset, self.length)?;
        }
        Ok(self)
    }

    /// Checks that a run's table has what is meant.
    fn check_table(&self, table: &Table) -> Result {
        if self.buffer.is_some() {
            return Ok(());
        }
        let (entry, buffer) = self.entry(table)?;
        buffer.check_use(self.uses.0, self.uses.1)?;
        entry.range_of(buffer, self.offset, self.length).map(|_| ())
    }

    /// What a run's table has for this reference, which has no buffer of its own.
    pub(crate) fn entry<'a>(&self, table: &'a Table) -> Result<(&'a TableEntry, &'a RefOf<Buffer>)> {
        let (slot, count) = (self.slot, table.len());
        let entry = table.get(slot as usize).ok_or_else(|| {
            let text = format!("the command buffer needs slot {slot} of a binding table that has {count}");
            Error::new(Code::OutOfRange, text)
        })?;
        let missing =
            || Error::new(Code::InvalidArgument, format!("slot {slot} of the binding table is empty"));
        Ok((entry, entry.buffer.as_ref().ok_or_else(missing)?))
    }
}

impl TableEntry {
    /// A range within this entry, as a range of its buffer.
    pub(crate) fn range_of(&self, buffer: &Buffer, offset: u64, length: u64) -> Result<(u64, u64)> {
        let available = buffer.check_range(self.offset, self.length)?;
        let left = available.checked_sub(offset);
        let length = match left {
            Some(left) if length == WHOLE_BUFFER => left,
            Some(left) if length <= left => length,
            _ => {
                let length = length as i64;
                let text = format!("{length} bytes at {offset} lie outside a binding of {available} bytes");
                return Err(Error::new(Code::OutOfRange, text));
            }
        };
        Ok((self.offset + offset, length))
    }

    /// The same for a range that was found to lie inside, when the run was submitted.
    pub(crate) fn checked_range_of(&self, offset: u64, length: u64) -> (u64, u64) {
        let is_rest = length == WHOLE_BUFFER && self.length != WHOLE_BUFFER;
        (self.offset + offset, if is_rest { self.length - offset } else { length })
    }
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, text.into())
}

impl CommandBuffer {
    /// An empty one, which records.
    pub(crate) fn new(home: &Arc<CommandPool>, mode: u32) -> RefOf<CommandBuffer> {
        let home = Some(home.clone());
        if let Some(mut spare) = home.as_ref().and_then(|home| home.pop()) {
            (spare.mode, spare.home) = (mode, home);
            return spare.revive();
        }
        let recorder = Recorder { recorded: Some(Recorded::default()), debug_depth: 0 };
        RefOf::new(CommandBuffer { mode, recorder: Mutex::new(recorder), recorded: OnceLock::new(), home })
    }

    /// Whether it is run once.
    pub fn is_one_shot(&self) -> bool {
        self.mode & mode::ONE_SHOT != 0
    }

    fn record(&self, record: impl FnOnce(&mut Recorded) -> Result) -> Result {
        let mut recorder = self.recorder.lock();
        let recorded = recorder.recorded.as_mut().ok_or_else(finished)?;
        if recorded.commands.len().max(recorded.references.len()) >= COMMANDS_MAX {
            let text = format!("a command buffer has at most {COMMANDS_MAX} commands and bindings");
            return Err(Error::new(Code::ResourceExhausted, text));
        }
        record(recorded)
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: it was ended before, or a debug group is open.
    pub(crate) fn finalize(&self) -> Result {
        let mut recorder = self.recorder.lock();
        if recorder.debug_depth != 0 {
            let text = format!("{} debug groups were not ended", recorder.debug_depth);
            return Err(Error::new(Code::FailedPrecondition, text));
        }
        let mut recorded = recorder.recorded.take().ok_or_else(finished)?;
        drop(recorder);
        recorded.end_region();
        let is_first = self.recorded.set(recorded).is_ok();
        debug_assert!(is_first, "the recorder gave it away once");
        Ok(())
    }

    /// The commands.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: it still records.
    #[inline]
    pub(crate) fn recorded(&self) -> Result<&Recorded> {
        let unfinished = || Error::new(Code::FailedPrecondition, "the command buffer was not finalized");
        self.recorded.get().ok_or_else(unfinished)
    }

    /// Checks a run's table.
    ///
    /// # Errors
    /// OUT_OF_RANGE, INVALID_ARGUMENT: a slot is missing, empty or too short; PERMISSION_DENIED: its buffer may not be used so;
    /// FAILED_PRECONDITION: it still records.
    pub(crate) fn check_table(&self, table: &Table) -> Result {
        self.recorded()?.references.iter().try_for_each(|reference| reference.check_table(table))
    }

    pub(crate) fn debug_group(&self, change: i32) -> Result {
        let mut recorder = self.recorder.lock();
        if recorder.recorded.is_none() {
            return Err(finished());
        }
        let depth = recorder.debug_depth.checked_add_signed(change);
        let unbalanced =
            || Error::new(Code::FailedPrecondition, "a debug group was ended that was not begun");
        recorder.debug_depth = depth.ok_or_else(unbalanced)?;
        Ok(())
    }

    /// Separates what was recorded from what comes.
    pub(crate) fn barrier(&self) -> Result {
        self.record(|recorded| {
            recorded.end_region();
            Ok(())
        })
    }

    /// Records a fill with the low bytes of `pattern`.
    pub(crate) fn fill(&self, target: BufferRef, pattern: u64, pattern_bytes: u32) -> Result {
        check_pattern(pattern_bytes, target.offset, target.length)?;
        let target = target.used(usage::TRANSFER_TARGET, access::WRITE)?;
        let pattern = (pattern as u32).to_le_bytes();
        self.record(|recorded| {
            let target = recorded.refer(target);
            let pattern_bytes = pattern_bytes as usize;
            recorded.commands.push(Command::Fill { target, pattern, pattern_bytes });
            Ok(())
        })
    }

    /// Records a copy.
    pub(crate) fn copy(&self, source: BufferRef, target: BufferRef) -> Result {
        let source = source.used(usage::TRANSFER_SOURCE, access::READ)?;
        let target = target.used(usage::TRANSFER_TARGET, access::WRITE)?;
        self.record(|recorded| {
            let (source, target) = (recorded.refer(source), recorded.refer(target));
            recorded.commands.push(Command::Copy { source, target });
            Ok(())
        })
    }

    /// Records the writing of these bytes.
    pub(crate) fn update(&self, bytes: &[u8], target: BufferRef) -> Result {
        if bytes.len() as u64 > UPDATE_BYTES_MAX {
            return Err(invalid(format!("an update of {} bytes; at most {UPDATE_BYTES_MAX}", bytes.len())));
        }
        let target = target.used(usage::TRANSFER_TARGET, access::WRITE)?;
        self.record(|recorded| {
            let start = recorded.data.len();
            let whole = u32::try_from(start + bytes.len());
            let end = whole.map_err(|_| Error::new(Code::ResourceExhausted, "the updates exceed 4 GiB"))?;
            recorded.data.extend_from_slice(bytes);
            let target = recorded.refer(target);
            recorded.commands.push(Command::Update { target, bytes: start as u32..end });
            Ok(())
        })
    }

    /// Records a dispatch. `counts` says where an indirect dispatch finds its workgroup counts.
    pub(crate) fn dispatch(
        &self,
        kernel: (RefOf<Executable>, u64),
        grid: Result<[u32; 3], BufferRef>,
        constants: impl ExactSizeIterator<Item = u32>,
        bindings: impl ExactSizeIterator<Item = BufferRef>,
    ) -> Result {
        let (executable, id) = kernel;
        if bindings.len() > BINDINGS_MAX {
            let text = format!("a dispatch with {} bindings; at most {BINDINGS_MAX}", bindings.len());
            return Err(Error::new(Code::OutOfRange, text));
        }
        let function = executable.check(id, constants.len(), bindings.len())?;
        debug_assert!(constants.len() <= CONSTANTS_MAX);
        let grid = match grid {
            Ok(counts) => Ok(counts),
            Err(counts) => Err(check_counts(counts)?),
        };
        self.record(|recorded| {
            // First what can fail.
            let first = recorded.references.len();
            for binding in bindings {
                match binding.used(usage::DISPATCH_STORAGE_READ, 0) {
                    Ok(binding) => recorded.references.push(binding),
                    Err(error) => {
                        recorded.references.truncate(first);
                        return Err(error);
                    }
                }
            }
            let bindings = first as u32..recorded.references.len() as u32;
            let grid = match grid {
                Ok(counts) => Grid::Direct([counts[0], counts[1], counts[2] & 0xffff]),
                Err(counts) => Grid::Indirect(recorded.refer(counts)),
            };
            let first = recorded.constants.len() as u32;
            recorded.constants.extend(constants);
            let constants = first..recorded.constants.len() as u32;
            recorded.local_bytes = recorded.local_bytes.max(executable.local_bytes(function));
            recorded.commands.push(Command::Dispatch(Dispatch {
                executable,
                function,
                grid,
                constants,
                bindings,
            }));
            Ok(())
        })
    }
}

/// Checks a fill.
///
/// # Errors
/// INVALID_ARGUMENT: no such pattern, or the range does not consist of whole patterns.
pub(crate) fn check_pattern(pattern_bytes: u32, offset: u64, length: u64) -> Result {
    let step = u64::from(pattern_bytes);
    if !matches!(pattern_bytes, 1 | 2 | 4) {
        return Err(invalid(format!("a fill pattern of {pattern_bytes} bytes; it can have 1, 2 or 4")));
    }
    if !offset.is_multiple_of(step) || (length != WHOLE_BUFFER && !length.is_multiple_of(step)) {
        let text = format!("a fill of {length} bytes at {offset} with a pattern of {pattern_bytes} bytes");
        return Err(invalid(text));
    }
    Ok(())
}

fn check_counts(counts: BufferRef) -> Result<BufferRef> {
    if !counts.offset.is_multiple_of(4) {
        return Err(invalid(format!(
            "workgroup counts at offset {}, which is no multiple of 4",
            counts.offset
        )));
    }
    counts.used(usage::DISPATCH_INDIRECT, access::READ)
}

#[cold]
fn finished() -> Error {
    Error::new(Code::FailedPrecondition, "the command buffer was finalized and can't be changed")
}

impl Recorded {
    /// Forgets everything but its memory.
    fn clear(&mut self) {
        self.commands.clear();
        self.regions.clear();
        self.references.clear();
        self.constants.clear();
        self.data.clear();
        self.local_bytes = 0;
    }

    fn refer(&mut self, reference: BufferRef) -> u32 {
        self.references.push(reference);
        self.references.len() as u32 - 1
    }

    fn end_region(&mut self) {
        let end = self.commands.len() as u32;
        if self.regions.last().copied().unwrap_or(0) < end {
            self.regions.push(end);
        }
    }
}

impl fmt::Debug for CommandBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.recorded.get() {
            Some(recorded) => {
                let (commands, regions) = (recorded.commands.len(), recorded.regions.len());
                write!(f, "CommandBuffer({commands} commands in {regions} regions)")
            }
            None => f.write_str("CommandBuffer(recording)"),
        }
    }
}
