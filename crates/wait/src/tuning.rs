//! Every number of this crate that could have been another.

/// Slots that are made at once when a pool is empty. Unit: slots of 64 bytes. Guess: one page.
/// Small under the model checker, so that a model can exhaust it.
pub(crate) const CHUNK_SLOTS: usize = if cfg!(raddle_loom) { 2 } else { 64 };

/// The same for a pool that has many: it makes as many as it has, up to this. Unit: slots. Guess: 64 KiB, so that a million
/// slots are a thousand calls of the allocator.
pub(crate) const CHUNK_SLOTS_MAX: usize = if cfg!(raddle_loom) { 2 } else { 1024 };

/// The position that says that a slot is in no heap. Unit: index.
pub(crate) const SEAT_NONE: u32 = u32::MAX;

/// The bit of a position that says that it is in a pile and not in a heap.
pub(crate) const PILED: u32 = 1 << 31;

/// Children of a node in a heap. Measured: 2-core AMD EPYC, bench timers, 1M timers over 1 s: 4 takes 1.6 CPU s, 8 takes
/// 1.3, 16 takes 1.2; each level costs a write to another slot. Two under the model checker.
pub(crate) const HEAP_ARITY: usize = if cfg!(raddle_loom) { 2 } else { 16 };

/// How often one call begins a wait anew after losing what it was woken for, before it steps aside. Unit: rounds.
/// Guess: a contended auto-reset event is lost once or twice in a row.
pub(crate) const ROUNDS_MAX: usize = if cfg!(raddle_loom) { 4 } else { 32 };

/// Timers that one look at the clock resolves while it holds the lock of the timers. Unit: timers.
/// Fewer than the tasks that a worker of `raddle-task` runs between two looks, and than its queue takes: so what is
/// resumed is run by who resumed it, and timers that come faster than tasks end can't heap those up. It takes 20 us, and
/// spreads the two system calls of a round thin.
#[cfg(feature = "set")]
pub(crate) const TIMERS_FIRED_MAX: usize = if cfg!(raddle_loom) { 2 } else { 48 };

/// Timers of far moments that one look moves to nearer places, at most. Unit: timers. It takes 5 us.
#[cfg(feature = "set")]
pub(crate) const TIMERS_MOVED_MAX: usize = if cfg!(raddle_loom) { 1 } else { 256 };

/// By how much the kernel's timer may ring late while a thread that has resumed something is about to look again. Unit: ns. As
/// long as a busy worker of `raddle-task` goes without a look. A model's clock does not come that far.
#[cfg(feature = "set")]
pub(crate) const RING_LATE_NS: u64 = 200_000;

/// Moments that agree but for so many bits are kept in one heap when they are near. Unit: bits of nanoseconds. 262 us: so many
/// timers as may come in that time fit in the cache. A few moments of a model are far.
#[cfg(feature = "set")]
pub(crate) const NEAR_BITS: u32 = if cfg!(raddle_loom) { 3 } else { 18 };

/// Timers for which there is room from the start; more make it grow, once. Unit: timers of 16 bytes. Guess.
#[cfg(feature = "set")]
pub(crate) const TIMERS_ROOM: usize = 64;

/// Entries of the table of descriptors that are made at once; when they are used up, twice as many, and so on. Unit: entries of
/// 64 bytes, a power of two. Guess: one page. Few where each is a lock of a model checker.
#[cfg(feature = "set")]
pub(crate) const DESCRIPTORS_FIRST: usize = if raddle_sync::IS_NATIVE { 64 } else { 2 };
