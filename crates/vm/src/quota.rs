//! How much memory the programs of one context may hold.
//!
//! Not here: stack bytes and lengths of lists, which are limits of one invocation or one object ([`Limits`](crate::Limits)).
//!
//! # Invariants
//! - I1: `used` is the sum of what live [`Charge`]s hold.
//!
//! # Orderings
//! All Relaxed: the counter guards no memory, and a total that is a moment old is as good.

use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// A number of bytes that a context may hold in buffers and lists.
#[derive(Debug)]
pub struct Quota {
    bytes_max: u64,
    used: AtomicU64,
}

impl Quota {
    /// A quota of `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Arc<Quota> {
        Arc::new(Quota { bytes_max, used: AtomicU64::new(0) })
    }

    /// The bytes held now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Result {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|total| *total <= self.bytes_max)
        });
        taken.map(drop).map_err(|used| {
            let text = format!(
                "{bytes} bytes on top of {used} exceed the context's limit of {} bytes",
                self.bytes_max
            );
            Error::new(Code::ResourceExhausted, text)
        })
    }
}

/// Bytes taken from a quota, given back when dropped. Without a quota it counts nothing.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    quota: Option<Arc<Quota>>,
    bytes: u64,
}

impl Charge {
    /// Takes `bytes` from the quota.
    pub(crate) fn new(quota: Option<&Arc<Quota>>, bytes: u64) -> Result<Charge> {
        let mut charge = Charge { quota: quota.cloned(), bytes: 0 };
        charge.grow_to(bytes)?;
        Ok(charge)
    }

    /// Makes the charge at least `bytes`.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> Result {
        if let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) {
            if let Some(quota) = &self.quota {
                quota.take(more)?;
            }
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(quota) = &self.quota {
            quota.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_bounded_and_given_back() {
        let quota = Quota::new(100);
        let mut charge = Charge::new(Some(&quota), 60).unwrap();
        assert_eq!(Charge::new(Some(&quota), 41).unwrap_err().code(), Code::ResourceExhausted);
        charge.grow_to(100).unwrap();
        assert!(charge.grow_to(u64::MAX).is_err());
        drop(charge);
        assert_eq!(quota.used(), 0);
    }
}
