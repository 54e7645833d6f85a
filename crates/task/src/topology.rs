//! How many workers, and where they run.

use crate::quota;
use raddle_status::{Code, Error, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where workers run: how many there are, and to which processors each is bound, if at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    places: Vec<Place>,
}

/// Where one worker runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Numbers of processors; none for anywhere.
    processors: Vec<usize>,
}

impl Topology {
    /// As many unbound workers as this process may run at once: its affinity mask, cut by its cgroup's quota (whole
    /// processors, at least one), version 1 or 2, of the group or any above it.
    ///
    /// # Source
    /// sched_getaffinity(2), cgroups(7): `cpu.max`, `cpu.cfs_quota_us`
    pub fn available() -> Topology {
        let count = allowed().map_or(1, |allowed| allowed.len().max(1));
        let quota = quota::processors(|file| std::fs::read_to_string(file).ok());
        Topology::unbound(quota.map_or(count, |quota| quota.min(count)))
    }

    /// So many workers, anywhere.
    pub fn unbound(count: usize) -> Topology {
        Topology { places: vec![Place::default(); count] }
    }

    /// One worker for each set of processors, bound to it.
    ///
    /// Whether this process may use them is found out when the executor is built.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for an empty set, or a number beyond what the system's masks hold.
    pub fn bound(sets: impl IntoIterator<Item = Vec<usize>>) -> Result<Topology> {
        let places: Vec<Place> = sets.into_iter().map(|processors| Place { processors }).collect();
        for (worker, place) in places.iter().enumerate() {
            let wrong = match place.processors.iter().max() {
                None => format!("worker {worker} is bound to no processor"),
                Some(largest) if *largest >= CpuSet::MAX_CPU => {
                    let last = CpuSet::MAX_CPU - 1;
                    format!("worker {worker} is bound to processor {largest}; the largest number is {last}")
                }
                Some(_) => continue,
            };
            return Err(Error::new(Code::InvalidArgument, wrong));
        }
        Ok(Topology { places })
    }

    /// One worker for each processor that this process may use, bound to it; the cgroup's quota is not looked at.
    ///
    /// # Errors
    /// INTERNAL when the system does not tell.
    ///
    /// # Source
    /// sched_getaffinity(2)
    pub fn one_per_processor() -> Result<Topology> {
        let allowed = allowed().map_err(|errno| {
            Error::new(Code::Internal, format!("the system does not tell its processors: {errno}"))
        })?;
        Topology::bound(allowed.into_iter().map(|processor| vec![processor]))
    }

    /// How many workers.
    pub fn worker_count(&self) -> usize {
        self.places.len()
    }

    /// Whether a worker is bound to processors.
    pub(crate) fn is_bound(&self) -> bool {
        self.places.iter().any(|place| !place.processors.is_empty())
    }

    pub(crate) fn with_workers(mut self, count: usize) -> Topology {
        self.places.resize(count, Place::default());
        self
    }

    pub(crate) fn place(&self, worker: usize) -> Place {
        self.places[worker].clone()
    }
}

impl Place {
    /// Binds the calling thread, which is that of `worker`.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the process may use none of the processors; what the message says is allowed, was before.
    pub(crate) fn bind(&self, worker: usize) -> Result {
        if self.processors.is_empty() {
            return Ok(());
        }
        let mut set = CpuSet::new();
        self.processors.iter().for_each(|processor| set.set(*processor));
        let before = allowed().unwrap_or_default();
        let missing: Vec<_> =
            self.processors.iter().filter(|processor| !before.contains(processor)).collect();
        sched_setaffinity(None, &set).map_err(|errno| {
            let text = format!(
                "worker {worker} can't be bound to processors {:?}: {missing:?} are not among those that this thread may \
                 use, {before:?} ({errno})",
                self.processors
            );
            Error::new(Code::InvalidArgument, text)
        })
    }
}

/// The processors that the calling thread may use.
fn allowed() -> rustix::io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect())
}
