//! Every number of this crate that could have been another.

/// The alignment of device memory. Unit: bytes. Kernels use instructions that fault below it.
pub const MEMORY_ALIGN: usize = 64;
/// Free blocks that an allocator keeps for the next allocations, all together. Unit: bytes. Guess: the transients of a
/// model of the middle size.
pub(crate) const RETAINED_BYTES_MAX: u64 = 64 << 20;
/// Free blocks of one size that an allocator keeps. Unit: blocks. Guess: as many as calls in flight.
pub(crate) const RETAINED_BLOCKS_MAX: usize = 1024;
/// Objects of one kind (fences, transient buffers, executions, parked operations) that a device keeps for reuse.
/// Unit: objects of 100 to 500 bytes. Guess: as many as are in flight at a time in a busy service.
pub(crate) const POOLED_OBJECTS_MAX: usize = 1024;

/// A region between two barriers that takes less runs on the thread that reached it. Unit: ns. Measured: example `spread`, a
/// busy 2-vCPU guest, November 2026: below 50 us spreading costs 7 %, at 80 us it is even, at 105 us it wins 16 %.
pub(crate) const SPREAD_NS_MIN: u64 = 80_000;
/// What one claim of tiles takes, at least. Unit: ns. Measured as above: claims of this size cost 7 % where nobody helps.
pub(crate) const CLAIM_NS_MIN: u64 = 4_000;
/// Claims that a region is cut into for each worker. Unit: claims. More even out tiles of unequal cost.
pub(crate) const CLAIMS_PER_WORKER: u64 = 8;
/// Dispatches of a kernel of which each is timed. Unit: dispatches.
pub(crate) const TIMED_ALWAYS: u64 = 4;
/// Of how many later inline dispatches of a kernel one is timed. Unit: dispatches. The clock costs 50 ns each time.
pub(crate) const TIMED_ONE_IN: u64 = 64;
/// What a tile is taken to cost before it was timed. Unit: ns. Guess: the first run of a small program stays inline, and a
/// wrong guess costs one call 7 %.
pub(crate) const UNKNOWN_TILE_NS: u64 = 2_000;
/// After how much work a bytecode kernel looks whether it is to end. Unit: steps, of 10 ns at most. Guess: nobody waits for a
/// millisecond, and the look is free.
pub(crate) const BYTECODE_SLICE_STEPS: u64 = 100_000;
/// Fills and copies are cut into pieces of this size. Unit: bytes. Guess: several fit into a second-level cache.
pub(crate) const TRANSFER_PIECE_BYTES: u64 = 256 << 10;
/// What copying a byte costs, for the choice between inline and spread. Unit: bytes per ns. Guess: memory of one core.
pub(crate) const TRANSFER_BYTES_PER_NS: u64 = 8;
/// How deep regions that end on other threads than they began on may nest on one stack. Unit: executions.
pub(crate) const NESTED_DRIVES_MAX: u32 = 4;

/// Bindings of one dispatch. From the module's interface.
pub(crate) const BINDINGS_MAX: usize = 32;
/// Constants of one dispatch. From the executable library's interface. Unit: words of 4 bytes.
pub(crate) const CONSTANTS_MAX: usize = 64;
/// Fences of one await. From the module's interface.
pub(crate) const AWAITED_MAX: usize = 32;
/// Dimensions that an assertion compares. From the module's interface.
pub(crate) const DIMENSIONS_MAX: usize = 128;
/// Bytes that `update_buffer` captures. From the module's interface.
pub(crate) const UPDATE_BYTES_MAX: u64 = 64 << 10;
/// Commands and bindings of one command buffer. Unit: each. Guess: far above what compilers record, and bounds memory.
pub(crate) const COMMANDS_MAX: usize = 1 << 20;
/// Spans of one call of `io_parameters`. Guess: programs make one for each parameter.
pub(crate) const SPANS_MAX: usize = 1 << 20;
