//! A wait for the first of several sources, with a deadline.

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope};
use raddle_wait::{Event, Permits, any};
use std::sync::Arc;
use std::time::Duration;

/// Long enough never to pass while somebody looks.
const PATIENT: Duration = Duration::from_secs(3_600);

/// A wait that ends by whichever source comes first.
pub struct Job {
    stop: Arc<Event>,
    work: Arc<Permits>,
    graph: Arc<Graph>,
}

impl Job {
    /// Builds a graph whose wait gives up after `patience`.
    pub fn new(patience: Duration) -> Result<Job> {
        let (stop, work) = (Arc::new(Event::manual()), Arc::new(Permits::new(0)));
        let mut builder = GraphBuilder::new();
        let wait = builder.wait_timeout(any![stop.clone(), work.clone()], patience);
        let after = builder.call(|_| ());
        builder.edge(wait, after)?;
        Ok(Job { stop, work, graph: builder.build()? })
    }

    /// Runs it, and offers work once it waits.
    pub fn run(&self, executor: &Executor, scope: &Scope) -> Result {
        let begun = executor.counts().waits_begun;
        let run = executor.submit(&self.graph, scope)?;
        while executor.counts().waits_begun == begun {
            std::thread::yield_now();
        }
        self.work.release(1);
        run.wait()
    }
}

/// Runs it three times: work comes, the stop comes, nobody comes.
pub fn main() -> Result {
    let executor = Executor::builder().workers(1).build()?;
    let job = Job::new(PATIENT)?;
    job.run(&executor, &executor.scope("work"))?;
    println!("woken by: work; permits left: {} (the wait took the one)", job.work.available());

    let run = executor.submit(&job.graph, &executor.scope("stop"))?;
    job.stop.set();
    run.wait()?;
    job.work.release(1);
    println!(
        "woken by: stop; permits left: {} (losers of a wait for any take nothing)",
        job.work.available()
    );

    let patience = Duration::from_millis(20);
    let hasty = Job::new(patience)?;
    let start = executor.now();
    let run = executor.submit(&hasty.graph, &executor.scope("nobody"))?;
    let parked = executor.dump().blocked;
    println!("the wait is outstanding; threads parked: {parked}");
    assert_eq!(parked, 0);
    let error = run.wait().expect_err("nobody sets anything");
    let after = Duration::from_nanos(executor.now() - start);
    assert!(after >= patience, "deadlines are never early");
    println!("woken by: the deadline, resumed after {after:?}: {error}");
    let counts = executor.counts();
    println!(
        "waits begun: {}; ended by a source: {}; by a deadline: {}; looks at the kernel: {}",
        counts.waits_begun,
        counts.waits_fired + counts.waits_inline,
        counts.waits_timed_out,
        counts.poller_turns
    );
    Ok(())
}
