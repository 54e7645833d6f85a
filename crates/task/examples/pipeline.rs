//! A pipeline over a few buffers: counting semaphores hold its stages back, and no thread waits in them.

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope, TaskId};
use raddle_wait::Permits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Items that pass through in one run.
const ITEMS: u64 = 100;
/// Buffers between the stages: so many items are under way at most.
const BUFFERS: u32 = 4;

/// Three stages: make, square, sum.
pub struct Job {
    sum: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
    graph: Arc<Graph>,
}

/// What the stages share.
struct Line {
    free: Arc<Permits>,
    made: Arc<Permits>,
    squared: Arc<Permits>,
    buffers: Vec<AtomicU64>,
    under_way: AtomicU64,
}

impl Job {
    /// Builds one chain of tasks for each stage.
    pub fn new() -> Result<Job> {
        let (sum, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let line = Arc::new(Line {
            free: Arc::new(Permits::new(BUFFERS)),
            made: Arc::new(Permits::new(0)),
            squared: Arc::new(Permits::new(0)),
            buffers: (0..BUFFERS).map(|_| AtomicU64::new(0)).collect(),
            under_way: AtomicU64::new(0),
        });
        let mut builder = GraphBuilder::new();
        stage(&mut builder, &line.free, {
            let (line, most) = (line.clone(), most.clone());
            move |item| {
                line.buffer(item).store(item, Relaxed);
                most.fetch_max(line.under_way.fetch_add(1, Relaxed) + 1, Relaxed);
                line.made.release(1);
            }
        })?;
        stage(&mut builder, &line.made, {
            let line = line.clone();
            move |item| {
                line.buffer(item).store(item * item, Relaxed);
                line.squared.release(1);
            }
        })?;
        stage(&mut builder, &line.squared, {
            let (line, sum) = (line.clone(), sum.clone());
            move |item| {
                sum.fetch_add(line.buffer(item).load(Relaxed), Relaxed);
                line.under_way.fetch_sub(1, Relaxed);
                line.free.release(1);
            }
        })?;
        Ok(Job { sum, most, graph: builder.build()? })
    }

    /// Sends all items through; calls `meanwhile` while they are under way.
    pub fn run(&self, executor: &Executor, scope: &Scope, meanwhile: impl FnOnce()) -> Result<u64> {
        let run = executor.submit(&self.graph, scope)?;
        meanwhile();
        run.wait()?;
        Ok(self.sum.swap(0, Relaxed))
    }
}

impl Line {
    fn buffer(&self, item: u64) -> &AtomicU64 {
        &self.buffers[item as usize % self.buffers.len()]
    }
}

/// For each item: wait for a permit, then work.
fn stage(
    builder: &mut GraphBuilder,
    permits: &Arc<Permits>,
    work: impl Fn(u64) + Clone + Send + Sync + 'static,
) -> Result {
    let mut tasks: Vec<TaskId> = Vec::new();
    for item in 0..ITEMS {
        tasks.push(builder.wait(permits.clone()));
        let work = work.clone();
        tasks.push(builder.call(move |_| work(item)));
    }
    builder.chain(tasks)
}

/// Runs it and prints what was counted.
pub fn main() -> Result {
    let executor = Executor::builder().workers(2).build()?;
    let job = Job::new()?;
    let mut parked = 0;
    let sum = job.run(&executor, &executor.scope("example"), || parked = executor.dump().blocked)?;
    assert_eq!(sum, (0..ITEMS).map(|item| item * item).sum());
    let counts = executor.counts();
    println!("{ITEMS} items through 3 stages, sum of squares {sum}");
    println!("under way at once: {} of {BUFFERS}", job.most.load(Relaxed));
    let waited = counts.waits_begun - counts.waits_inline;
    println!(
        "waits begun: {}; of these {waited} waited, and were woken by the stage beside them",
        counts.waits_begun
    );
    println!("workers: {}; threads parked: {parked}, while items were under way", executor.worker_count());
    assert_eq!(parked, 0);
    Ok(())
}
