//! Every number of this crate that could have been another.

/// How many tasks a worker runs before it looks at the outside lists and the wait set, at most. Unit: tasks.
/// A prime, so that it does not beat with loops of the program. Guess, the same as in other schedulers.
pub(crate) const LOOK_TASKS_MAX: u32 = 61;
/// After this time a busy worker looks at the outside lists and the wait set. Unit: ns. From the design.
pub(crate) const LOOK_NS: u64 = 200_000;
/// The same before a thread knows what tasks cost: as if each were worth a wake. Unit: tasks. One under the model checker, so
/// that a model of a busy poller is small.
pub(crate) const LOOK_TASKS_FIRST: u32 = if cfg!(raddle_loom) { 1 } else { (LOOK_NS / WAKE_WORTH_NS) as u32 };
/// Ready tasks that run directly after their predecessor, at most in a row. Unit: tasks. From the design.
pub(crate) const INLINE_TASKS_MAX: u32 = 64;
/// Tasks of a range that the worker which made it ready runs itself before it offers the rest. Unit: tasks.
pub(crate) const RANGE_OWN_TASKS: u32 = 64;
/// The same as time. Unit: ns. A wake costs its caller 2 to 9 us.
pub(crate) const RANGE_OWN_NS: u64 = 5_000;
/// Work in sight for which another worker is woken. Unit: ns. Measured: a wake costs 6 to 10 us end to end.
pub(crate) const WAKE_WORTH_NS: u64 = 10_000;
/// Work that one claim of an offered range takes. Unit: ns.
pub(crate) const CLAIM_NS: u64 = 20_000;
/// Tasks that one claim of an offered range takes, at most. Unit: tasks.
pub(crate) const CLAIM_TASKS_MAX: u32 = 256;
/// Tasks that a worker takes from an outside list at once. Unit: tasks. Guess.
pub(crate) const OUTSIDE_BATCH: usize = if cfg!(raddle_loom) { 2 } else { 32 };
/// Of how many tasks one comes from the first-in-first-out deque although the other has work. Unit: tasks.
pub(crate) const FAIR_EVERY: u32 = 4;

pub(crate) const STEAL_ROUNDS: u32 = if cfg!(raddle_loom) { 1 } else { 2 };
/// Workers that sleep in the kernel on the wait set; the others sleep on their parkers. From the design.
pub(crate) const KERNEL_SLEEPERS_MAX: u64 = 2;
/// How deep blocking waits may nest on one thread. From the design.
pub(crate) const DONATION_DEPTH_MAX: u32 = 8;
/// Places for threads that lend themselves while they wait. Unit: threads at once; more just sleep. Guess.
pub(crate) const GUESTS_MAX: usize = if cfg!(raddle_loom) { 1 } else { 4 };
/// Tasks that a worker's deque holds before the rest goes to a shared list. Unit: tasks. crossbeam's buffers start with
/// 64 places, grow beyond and shrink below a quarter; both allocate.
pub(crate) const DEQUE_TASKS_MAX: usize = if cfg!(raddle_loom) { 3 } else { 62 };
/// Tasks for which the shared list has room from the start; more make it grow, once. Unit: tasks of 8 bytes. Guess.
pub(crate) const SPILLED_ROOM: usize = if cfg!(raddle_loom) { 4 } else { 1024 };
/// Runs for which a scope makes room at once. Unit: runs. Guess.
pub(crate) const SCOPE_ROOM: usize = if cfg!(raddle_loom) { 1 } else { 16 };
/// Consecutive successors that are worth a claim of their own. Unit: tasks. Guess: one claim costs four pushes.
pub(crate) const RANGE_TASKS_MIN: usize = 4;
/// Steps of one host turn by default. Unit: steps. Guess.
pub(crate) const TURN_TASKS_MAX: u32 = 256;
/// What a tile may ask for as local memory by default. Unit: bytes. Guess: several times a second-level cache.
pub(crate) const LOCAL_MEMORY_BYTES_MAX: usize = 16 << 20;
/// How long dropping the last handle waits for tasks that run. Unit: ns. Guess.
pub(crate) const DROP_NS: u64 = 5_000_000_000;
/// Reports that one look at the kernel collects. Unit: reports. Guess.
pub(crate) const EVENTS_MAX: usize = 256;

/// Steps of a program in a row on one thread whose waits were satisfied already, before others have their turn.
/// Unit: steps. Guess: a satisfied wait and a short step take about a microsecond.
pub(crate) const INLINE_RESUMES_MAX: usize = if cfg!(raddle_loom) { 3 } else { 64 };
