//! A code with its message and the context through which it travelled.
//!
//! Not here: error types of single crates; every crate of raddle returns this one.

use crate::Code;
use std::borrow::Cow;
use std::sync::Arc;
use std::{any::Any, fmt};

/// The result of every fallible call of raddle.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// A failure: what kind, what happened, and where.
///
/// Two words; cloning is cheap, so that a sticky failure can reach every waiter.
#[derive(Clone)]
pub struct Error {
    code: Code,
    detail: Option<Arc<Detail>>,
}

#[derive(Clone)]
struct Detail {
    message: Cow<'static, str>,
    /// Innermost first.
    context: Vec<Cow<'static, str>>,
}

impl Error {
    /// A failure of this kind; the message says what was wrong and what to do.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Error {
        Error { code, detail: Some(Arc::new(Detail { message: message.into(), context: Vec::new() })) }
    }

    /// The kind of failure.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened; empty when only the code is known.
    pub fn message(&self) -> &str {
        self.detail.as_ref().map_or("", |detail| &detail.message)
    }

    /// Where it happened, innermost first.
    pub fn context(&self) -> impl Iterator<Item = &str> {
        self.detail.iter().flat_map(|detail| detail.context.iter().map(|line| &**line))
    }

    /// The same failure, seen one level further out ("in function @main", "while loading m.vmfb").
    pub fn within(mut self, place: impl Into<Cow<'static, str>>) -> Error {
        let detail = self
            .detail
            .get_or_insert_with(|| Arc::new(Detail { message: Cow::Borrowed(""), context: Vec::new() }));
        Arc::make_mut(detail).context.push(place.into());
        self
    }

    /// Whether this says that somebody asked for the work to stop.
    pub fn is_cancelled(&self) -> bool {
        self.code == Code::Cancelled
    }

    /// Whether this says that a deadline passed.
    pub fn is_deadline_exceeded(&self) -> bool {
        self.code == Code::DeadlineExceeded
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Error {
        Error { code, detail: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        if !self.message().is_empty() {
            write!(f, ": {}", self.message())?;
        }
        for place in self.context() {
            write!(f, "; {place}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// Adds a place to a failure on its way out.
pub trait ResultExt<T> {
    /// The same result; a failure has `place()` added to its context.
    ///
    /// # Errors
    /// The failure that was there before.
    fn within<S: Into<Cow<'static, str>>>(self, place: impl FnOnce() -> S) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn within<S: Into<Cow<'static, str>>>(self, place: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| error.within(place()))
    }
}

/// The failure that a caught panic becomes: [`Code::Unknown`] with the panic's own message.
pub fn panic_message(payload: &(dyn Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(Code::Unknown, format!("panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_two_words() {
        assert_eq!(size_of::<Error>(), 16);
        assert_eq!(size_of::<Result>(), 16);
    }

    #[test]
    fn text_names_code_message_and_places() {
        let error =
            Error::new(Code::OutOfRange, "offset 9 is past the end, 8").within("in @f").within("in m.vmfb");
        assert_eq!(error.to_string(), "OUT_OF_RANGE: offset 9 is past the end, 8; in @f; in m.vmfb");
        assert_eq!(Error::from(Code::Aborted).to_string(), "ABORTED");
        let kept = error.clone();
        assert_ne!(error.within("outside").to_string(), kept.to_string());
    }

    #[test]
    fn a_panic_keeps_its_message() {
        let payload = std::panic::catch_unwind(|| panic!("bad {}", 7)).unwrap_err();
        assert_eq!(panic_message(&*payload).to_string(), "UNKNOWN: panicked: bad 7");
    }
}
