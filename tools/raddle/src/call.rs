//! Runs an invocation to its end on this thread.
//!
//! Not here: what is called with what ([`crate::session`]).

use raddle_status::{Code, Error, Result};
use raddle_vm::{Condition, Finished, Idle, NEVER, Outcome, Slice, Value, Wait, WaitOutcome};
use raddle_wait::Readiness;
use std::time::{Duration, Instant};

/// Between two looks at sources that are not ready. Unit: µs. Guess: nobody sees it, and the processor idles.
const POLL_US: u64 = 100;

/// Calls a function; yields and used-up slices go on at once, waits block.
///
/// Blocks: until the function has ended.
///
/// # Errors
/// What the function fails with; the invocation can then be used again if it comes with the error.
pub fn finish(idle: Idle, arguments: &[Value]) -> Result<Finished> {
    let start = Instant::now();
    let now_ns = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(NEVER - 1);
    let slice = || Slice { now_ns: now_ns(), ..Slice::default() };
    let mut outcome = idle.begin(arguments, &slice());
    loop {
        outcome = match outcome {
            Outcome::Finished(finished) => return Ok(finished),
            Outcome::Failed(_, error) => return Err(error),
            Outcome::Yielded(suspended) | Outcome::OutOfBudget(suspended) => {
                suspended.resume(WaitOutcome::Ready { index: 0 }, &slice())
            }
            Outcome::Waiting(suspended, wait) => suspended.resume(block(&wait, now_ns), &slice()),
            Outcome::Busy(_) => {
                return Err(Error::new(Code::Internal, "another call has the turn of the context"));
            }
        };
    }
}

/// Waits until the condition holds.
///
/// Blocks: until then.
///
/// # Errors
/// The failure of a source.
pub fn settle(condition: &Condition) -> Result {
    let wait = Wait { condition: condition.clone(), deadline_ns: NEVER };
    block(&wait, || 0).into_result().map(drop)
}

fn block(wait: &Wait, now_ns: impl Fn() -> u64) -> WaitOutcome {
    loop {
        match ready(&wait.condition) {
            Ok(Some(index)) => return WaitOutcome::Ready { index },
            Ok(None) => {}
            Err(error) => return WaitOutcome::Failed(error),
        }
        if now_ns() >= wait.deadline_ns {
            return WaitOutcome::TimedOut;
        }
        std::thread::park_timeout(Duration::from_micros(POLL_US));
    }
}

/// Which child made the condition true, 0 if it is not `Any`; or the failure that ends it.
fn ready(condition: &Condition) -> Result<Option<usize>> {
    match condition {
        Condition::Until(source) => match source.query() {
            Readiness::Ready => Ok(Some(0)),
            Readiness::Pending => Ok(None),
            Readiness::Failed(error) => Err(error),
        },
        Condition::Any(of) => {
            for (index, child) in of.iter().enumerate() {
                if ready(child)?.is_some() {
                    return Ok(Some(index));
                }
            }
            Ok(None)
        }
        Condition::All(of) => {
            let mut all = Some(0);
            for child in of {
                all = ready(child)?.and(all);
            }
            Ok(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raddle_vm::{SharedSource, WaitSource};
    use raddle_wait::SourceWaker;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Ready at the look with this number.
    struct Later(AtomicU32);

    impl WaitSource for Later {
        fn arm(&self, _: SourceWaker) {}

        fn query(&self) -> Readiness {
            match self.0.fetch_sub(1, Ordering::Relaxed) <= 1 {
                true => Readiness::Ready,
                false => Readiness::Pending,
            }
        }
    }

    fn later(looks: u32) -> Condition {
        let source: SharedSource = Arc::new(Later(AtomicU32::new(looks)));
        Condition::Until(source)
    }

    #[test]
    fn a_wait_blocks_until_its_condition_or_deadline() {
        let any = Wait { condition: Condition::Any(vec![later(u32::MAX), later(3)]), deadline_ns: NEVER };
        assert!(matches!(block(&any, || 0), WaitOutcome::Ready { index: 1 }));
        let all = Wait { condition: Condition::All(vec![later(1), later(u32::MAX)]), deadline_ns: 5 };
        assert!(matches!(block(&all, || 5), WaitOutcome::TimedOut));
    }
}
