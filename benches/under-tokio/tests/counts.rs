//! Counts: the second to hundredth run of the example's graph allocates nothing, neither ours nor tokio's.

#[path = "../../../crates/task/tests/counting/mod.rs"]
mod counting;
#[path = "../src/main.rs"]
#[allow(dead_code, reason = "an example's main")]
mod example;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

#[test]
fn later_runs_allocate_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (executor, _) = counting::counted(0);
    raddle_wait::sync::warm_up();
    runtime.block_on(async {
        let job = example::Job::new(&executor).expect("a graph");
        run(&job).await;
        for number in 2..=100 {
            let before = counting::allocations();
            run(&job).await;
            assert_eq!(counting::allocations() - before, 0, "run {number}");
        }
    });
}

async fn run(job: &example::Job<'_>) {
    let run = job.begin().expect("it is not shutting down");
    job.drive(job.ended.notified()).await.expect("a turn does not fail");
    run.wait().expect("no task fails");
}
