//! The numbers.
//!
//! # Invariants
//! - I1: a number never changes its meaning and is never reused.
//! - I2: 0 is success and has no variant, so that an [`Error`](crate::Error) can't mean success.
//!
//! # Sources
//! IREE's status codes 0 to 18; 0 to 16 are the usual RPC numbering.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What kind of failure happened.
        ///
        /// Each variant says when it is used, whose fault it is, and whether a retry can help.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Code { $($(#[$doc])* $variant = $number,)* }

        impl Code {
            /// Every code, in the order of its number.
            pub const ALL: [Code; [$($number),*].len()] = [$(Code::$variant),*];

            /// The upper-case name, as C, the command line and IREE print it.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The code with this number; `None` for 0 (success) and for numbers without a name.
            pub const fn from_number(number: u32) -> Option<Code> {
                match number { $($number => Some(Code::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// The caller, or the owner of its scope, asked for the work to stop. Nobody's fault; retry at will.
    Cancelled = 1, "CANCELLED";
    /// A failure whose kind is not known, such as a panic in foreign code. Retry is not advised.
    Unknown = 2, "UNKNOWN";
    /// An argument is wrong whatever the state of the system. The caller's fault; a retry can't help.
    InvalidArgument = 3, "INVALID_ARGUMENT";
    /// A deadline passed before the work was done. The work may still have had effects.
    DeadlineExceeded = 4, "DEADLINE_EXCEEDED";
    /// A named thing does not exist. A retry helps only after somebody makes it.
    NotFound = 5, "NOT_FOUND";
    /// A thing that was to be made exists already.
    AlreadyExists = 6, "ALREADY_EXISTS";
    /// The thing exists but may not be used in this way by this caller.
    PermissionDenied = 7, "PERMISSION_DENIED";
    /// A limit was reached: memory, slots, descriptors, stack. Retry after others have finished.
    ResourceExhausted = 8, "RESOURCE_EXHAUSTED";
    /// The system is not in the state that the call needs. Retry after the state has changed.
    FailedPrecondition = 9, "FAILED_PRECONDITION";
    /// The work was given up because something that it depends on failed. Retry at a higher level.
    Aborted = 10, "ABORTED";
    /// An index, offset or length lies outside what exists now.
    OutOfRange = 11, "OUT_OF_RANGE";
    /// The operation is not supported here. A retry can't help.
    Unimplemented = 12, "UNIMPLEMENTED";
    /// An invariant of ours is broken. Our fault: please report it.
    Internal = 13, "INTERNAL";
    /// The service can't be had at the moment. Retry with a pause.
    Unavailable = 14, "UNAVAILABLE";
    /// Data was lost or damaged beyond repair.
    DataLoss = 15, "DATA_LOSS";
    /// The caller did not say who it is.
    Unauthenticated = 16, "UNAUTHENTICATED";
    /// The work is suspended and will be resumed; never the final status of anything.
    Deferred = 17, "DEFERRED";
    /// Two parts don't fit together: a version, a calling convention, a processor feature.
    Incompatible = 18, "INCOMPATIBLE";
}

impl Code {
    /// The number, 1 to 18.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

/// The number of a result: 0 for `Ok`, otherwise the number of its code. It serves as C status and exit code.
pub fn number<T>(result: &crate::Result<T>) -> u32 {
    result.as_ref().err().map_or(0, |error| error.code().number())
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_published_ones() {
        let published = "CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS \
            PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED \
            INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED DEFERRED INCOMPATIBLE";
        let names: Vec<_> = published.split_whitespace().collect();
        assert_eq!(names.len(), Code::ALL.len());
        for (index, (code, name)) in Code::ALL.iter().zip(names).enumerate() {
            assert_eq!(code.number() as usize, index + 1);
            assert_eq!(code.name(), name);
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(19), None);
    }

    #[test]
    fn success_is_zero() {
        assert_eq!(number(&Ok(())), 0);
        assert_eq!(number::<()>(&Err(Code::Incompatible.into())), 18);
    }
}
