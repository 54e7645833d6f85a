//! Every limit and batch size of the VM, with unit and reason.

/// Capacity of a list grows in steps of this many elements, as `list.reserve` promises. Unit: elements.
pub(crate) const LIST_CAPACITY_STEP: usize = 64;

/// Tries to lock a list before its user gives up its turn. Unit: spins. Guess: operations take tens of nanoseconds.
pub(crate) const LIST_SPINS_MAX: u32 = 200;

/// Budget between two looks at the stop flag. Unit: back edges and calls; at 2 to 10 ns each below 0.1 ms.
pub(crate) const STOP_CHECK_STEPS: i64 = 4096;

/// Bytes that a bulk operation handles before it looks at the budget again. Unit: bytes; about 20 us of byte-wise work.
pub(crate) const BULK_BYTES: usize = 32 << 10;

/// Elements by which a list is resized before its program looks at the budget again. Unit: elements; about 20 us.
pub(crate) const BULK_ELEMENTS: u32 = 2048;

/// Bytes of bulk work that cost as much budget as one back edge. Unit: bytes per step.
pub(crate) const BULK_BYTES_PER_STEP: usize = 16;

/// Size of the first segment of a stack whose need is not known beforehand. Unit: bytes. Guess: two or three calls.
pub(crate) const STACK_BYTES_UNKNOWN: usize = 256;

/// Largest need that a first segment is made for. Unit: bytes. Beyond it, most calls do not get to the deepest frame.
pub(crate) const STACK_BYTES_KNOWN_MAX: usize = 1024;

/// Functions that are looked at to find out what a function needs. It bounds what its first call costs.
pub(crate) const CALLEES_LOOKED_AT_MAX: usize = 64;

/// Size of the second and later segments of a stack. Unit: bytes. A call that crosses into another segment costs a
/// hundred nanoseconds each time, so small segments that double (200, 400, ... bytes) are crossed too often.
pub(crate) const SEGMENT_BYTES_MIN: usize = 4096;

/// Largest stack of one invocation when its host does not say, the same as IREE's. Unit: bytes.
pub(crate) const STACK_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// Longest list when the host does not say. Unit: elements.
pub(crate) const LIST_LENGTH_MAX_DEFAULT: u32 = 1 << 24;

/// Bytes of buffers and lists per context when the host does not say. Unit: bytes.
pub(crate) const ALLOCATION_BYTES_MAX_DEFAULT: u64 = 1 << 32;

/// Budget of one slice when the host does not say. Unit: steps; a step is at most about 10 ns, so a slice at most about 1 ms.
pub(crate) const SLICE_STEPS_DEFAULT: u64 = 100_000;

/// Lists that may be parts of a circle, before the first search for circles; doubled by each search. Unit: lists.
pub(crate) const SUSPECTS_MIN: usize = 1024;
