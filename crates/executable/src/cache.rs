//! What was found out about the code of files that were loaded before.
//!
//! The key is 128 bits of keyed hash over the file and where its code is: SipHash under two secret keys, so that nobody can
//! make two files that are taken for one another.

use crate::instructions::Needs;
use crate::tuning::SURVEYS_MAX;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

/// Remembers what the instructions of files need. A clone shares the memory.
///
/// One that lives as long as a runtime spares a file that is loaded again its decoding.
#[derive(Clone, Default)]
pub struct InstructionCache {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    keys: [RandomState; 2],
    known: Mutex<HashMap<[u64; 2], Arc<Needs>>>,
}

impl InstructionCache {
    /// What is known about these bytes, or what `survey` finds out.
    pub(crate) fn get(&self, bytes: &[u8], survey: impl FnOnce() -> Needs) -> Arc<Needs> {
        let key = [0, 1].map(|index: usize| self.shared.keys[index].hash_one(bytes));
        if let Some(needs) = self.lock().get(&key) {
            return Arc::clone(needs);
        }
        // Without the lock: two that load the same file at once both decode it.
        let needs = Arc::new(survey());
        let mut known = self.lock();
        if known.len() >= SURVEYS_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&needs));
        needs
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u64; 2], Arc<Needs>>> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for InstructionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstructionCache({} files)", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_surveyed_once() {
        let (cache, mut count) = (InstructionCache::default(), 0);
        for bytes in [b"a", b"b", b"a", b"b"] {
            cache.clone().get(bytes, || {
                count += 1;
                Needs::default()
            });
        }
        assert_eq!(count, 2);
    }

    #[test]
    fn memory_is_bounded() {
        let cache = InstructionCache::default();
        for index in 0..SURVEYS_MAX + 10 {
            cache.get(&index.to_le_bytes(), Needs::default);
        }
        assert!(cache.lock().len() <= SURVEYS_MAX);
    }
}
