//! Every limit of the runtime, with unit and reason.

/// Finished invocations that a function keeps for reuse. Unit: invocations of about 1 KiB. Guess: as many as are
/// in flight at a time in a busy service.
pub(crate) const POOLED_CALLS_MAX: usize = 4096;

/// Arguments, and results, that need no allocation. Unit: values of 16 bytes. Guess.
pub(crate) const VALUES_INLINE: usize = 4;
