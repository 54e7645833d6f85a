//! Every limit of the runtime, with unit and reason.

/// Finished invocations that a function keeps for reuse, for each worker. Unit: invocations of about 800 bytes. Guess: as
/// many as are in flight at a time in a busy service.
pub(crate) const POOLED_CALLS_MAX: usize = 4096;

/// Arguments, and results, that need no allocation. Unit: values of 16 bytes. Guess.
pub(crate) const VALUES_INLINE: usize = 4;

/// Items of a batch in flight, if nobody says otherwise. Guess: enough for waits of milliseconds on a few cores.
pub(crate) const BATCH_IN_FLIGHT: usize = 1024;

/// Calls that a worker begins in a row, for one look at what is to be begun. Guess: the look is then nothing beside them.
pub(crate) const LAUNCHES_MAX: usize = 32;

/// How long they may take together before fewer are begun in a row. Unit: ns. Guess: it is what a worker is behind the others
/// at the end of a batch, and what a task that is ready waits for at most.
pub(crate) const LAUNCHES_NS: u64 = 100_000;

/// How far an ordered batch runs ahead of its slowest item. Unit: times the number in flight. Guess.
pub(crate) const BATCH_ORDER_AHEAD: usize = 8;

/// Results for which the thread of a batch is woken at once; also how often it looks for a stop while it launches. Unit: items.
/// Guess: a wake-up costs as much as ten short calls.
pub(crate) const BATCH_GATHER_MAX: usize = 256;

/// How long that thread waits for more results after the first. Guess: nobody sees it.
pub(crate) const BATCH_GATHER: std::time::Duration = std::time::Duration::from_millis(1);

/// What an item pauses before its second try, if nobody says otherwise. Guess: what is short of something for a moment has it
/// again.
pub(crate) const BATCH_RETRY_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// What it pauses at most. Guess: longer outages are for people.
pub(crate) const BATCH_RETRY_PAUSE_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// Results that are kept before they are written. Unit: bytes. Guess: few writes, little lost in a crash.
pub(crate) const RESULTS_BUFFERED_BYTES: usize = 1 << 16;

/// A line of input at most. Unit: bytes. Guess: more than anybody writes by hand; it bounds memory.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// What is read of a table at a time, roughly. Unit: bytes. Guess: it stays in the caches.
#[cfg(feature = "parquet")]
pub(crate) const TABLE_BATCH_BYTES: usize = 1 << 20;

/// Rows of results that become a part of a table at a time. Unit: bytes. Guess: it bounds memory.
#[cfg(feature = "parquet")]
pub(crate) const TABLE_PART_BYTES: usize = 8 << 20;

/// A row group of Parquet: its writer holds one. Unit: bytes, encoded. Guess: readers like large ones.
#[cfg(feature = "parquet")]
pub(crate) const TABLE_GROUP_BYTES: usize = 64 << 20;

/// How often results are forced to the disk, so that an outage of power loses no more. Guess.
pub(crate) const RESULTS_SYNC: std::time::Duration = std::time::Duration::from_secs(5);

/// A line of a stream at most. Unit: bytes. Guess: it bounds what a peer can make a program hold.
pub(crate) const STREAM_LINE_BYTES_MAX: usize = 1 << 20;

/// What a program writes to a stream before others have their turn. Unit: bytes. Guess: a fraction of a millisecond.
pub(crate) const STREAM_TURN_BYTES: usize = 1 << 20;

/// What an item takes from an array at most. Unit: bytes. Guess: a wrong header is refused before memory is asked for.
pub(crate) const ITEM_BYTES_MAX: u64 = 1 << 30;
