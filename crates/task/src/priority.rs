//! Three levels of urgency.
//!
//! Not here: in which order the levels are looked at (`local.rs`).

/// How urgent a task is, against others that wait to be run by the same executor. No level starves another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(u8)]
pub enum Priority {
    /// Before others.
    High = 0,
    /// As others.
    #[default]
    Normal = 1,
    /// After others.
    Low = 2,
}

/// The number of priorities.
pub(crate) const PRIORITIES: usize = 3;

impl Priority {
    pub(crate) fn from_level(level: u8) -> Priority {
        match level {
            0 => Priority::High,
            2 => Priority::Low,
            _ => Priority::Normal,
        }
    }
}
