//! Two figures that are ratios, each measured against its counterpart in the same run, in turns:
//!
//! - the throughput of computing invocations on two workers, against two processes with one worker each;
//! - from a signal to the next instruction of the program that waits for it, against a bare task of a graph.
//!
//! `cargo run --release --package raddle --example ratios`

use raddle::task::{Executor, GraphBuilder};
use raddle::vm::{NativeModule, assemble};
use raddle::wait::Event;
use raddle::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

const VISITS: &[u8] = include_bytes!("../../../tests/programs/runtime/visits.vmfb");

/// Waits for an event, then says so.
const WAITS: &str = r#"
vm.module @latency
vm.import @raddle.event.wait cconv "0r_v"
vm.import @host.stamp cconv "0v_v"
vm.export @waits
vm.func @waits(%r0: !vm.opaque) -> () {
  vm.call.yieldable @raddle.event.wait(%r0) -> ^bb1()
^bb1:
  vm.call @host.stamp()
  vm.return
}
"#;

/// Invocations of a process.
const CALLS: usize = 20_000;
const ROUNDS: usize = 7;
const SIGNALS: usize = 20_000;

/// Computes on so many workers; returns how long the calls took.
fn compute(workers: usize, calls: usize, go: impl FnOnce()) -> Result<Duration> {
    let runtime = Runtime::builder().workers(workers).build()?;
    let steps = runtime.session().bytes(VISITS)?.build()?.function("steps")?;
    // 837799 takes 524 steps; neither pause is one.
    let each = |count: usize| -> Result {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            // Begun when it is made: one thread that first made all of them would have two workers wait for it.
            let mut call = steps.invoke((837_799_i64, 0_i64));
            call.start()?;
            all.push(call);
        }
        all.into_iter().try_for_each(|call| call.wait().map(drop))
    };
    each(calls / 10)?;
    go();
    let begin = Instant::now();
    each(calls)?;
    Ok(begin.elapsed())
}

/// The other process: says that it is ready, begins when it is told, says when it has ended.
fn child() -> Result {
    let mut line = String::new();
    compute(1, CALLS, || {
        println!("ready");
        let _ = std::io::stdin().read_line(&mut line);
    })?;
    println!("done");
    Ok(())
}

/// Two processes at once; returns how long both took.
fn processes() -> std::io::Result<Duration> {
    let own = std::env::current_exe()?;
    let mut children = Vec::new();
    for _ in 0..2 {
        let mut command = Command::new(&own);
        let mut child = command.arg("child").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = (input.expect("piped"), BufReader::new(output.expect("piped")));
        children.push((child, input, output));
    }
    let mut line = String::new();
    for (_, _, output) in &mut children {
        output.read_line(&mut line)?;
    }
    let begin = Instant::now();
    for (_, input, _) in &mut children {
        input.write_all(b"go\n")?;
    }
    for (_, _, output) in &mut children {
        output.read_line(&mut line)?;
    }
    let elapsed = begin.elapsed();
    assert_eq!(line, "ready\nready\ndone\ndone\n", "a child failed");
    for (mut child, ..) in children {
        child.wait()?;
    }
    Ok(elapsed)
}

/// The least and the median.
fn summary(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[0], times[times.len() / 2])
}

fn throughput() -> Result {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(compute(2, 2 * CALLS, || {})?);
        theirs.push(processes().map_err(|error| Error::new(Code::Unavailable, error.to_string()))?);
    }
    let (ours, theirs) = (summary(&mut ours), summary(&mut theirs));
    let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    println!("{} computing calls, {ROUNDS} rounds in turns:", 2 * CALLS);
    println!("  two workers     min {:>9.2?}  median {:>9.2?}", ours.0, ours.1);
    println!("  two processes   min {:>9.2?}  median {:>9.2?}", theirs.0, theirs.1);
    let (least, median) = (ratio(theirs.0, ours.0), ratio(theirs.1, ours.1));
    println!(
        "  throughput, workers / processes: {least:.3} of the minima, {median:.3} of the medians (aim 0.95)"
    );
    Ok(())
}

/// From the signal to the code behind the wait, everything on this thread: no other thread's wake-up is measured.
fn latency() -> Result {
    let origin = Instant::now();
    let stamp = Arc::new(AtomicU64::new(0));
    let note = move |stamp: &AtomicU64| stamp.store(origin.elapsed().as_nanos() as u64, Relaxed);
    let since = |begin: u64, stamp: &AtomicU64| Duration::from_nanos(stamp.load(Relaxed) - begin);

    let executor = Executor::builder().workers(0).build()?;
    let scope = executor.scope("latency");
    let event = Arc::new(Event::manual());
    let mut builder = GraphBuilder::new();
    let wait = builder.wait(event.clone());
    let sink = stamp.clone();
    let task = builder.call(move |_| note(&sink));
    builder.edge(wait, task)?;
    let graph = builder.build()?;

    let runtime = Runtime::builder().workers(0).build()?;
    let sink = stamp.clone();
    let host = NativeModule::builder("host").function("stamp", move |_: &()| {
        note(&sink);
        Ok(())
    });
    let session = runtime.session().native(host.build()?).bytes(assemble(WAITS)?.build())?.build()?;
    let (waits, value) = (session.function("waits")?, EventObject::value(&event));

    let (mut bare, mut program) = (Vec::new(), Vec::new());
    for _ in 0..SIGNALS {
        event.reset();
        let run = executor.submit(&graph, &scope)?;
        while executor.turn(TurnBudget::default())?.is_more {}
        let begin = origin.elapsed().as_nanos() as u64;
        event.set();
        while executor.turn(TurnBudget::default())?.is_more {}
        bare.push(since(begin, &stamp));
        assert!(run.is_done());

        event.reset();
        let mut call = waits.invoke((value.clone(),));
        call.start()?;
        while runtime.turn(TurnBudget::default())?.is_more {}
        assert!(call.is_waiting());
        let begin = origin.elapsed().as_nanos() as u64;
        event.set();
        while runtime.turn(TurnBudget::default())?.is_more {}
        program.push(since(begin, &stamp));
        call.wait()?;
    }
    let (bare, program) = (summary(&mut bare), summary(&mut program));
    println!("from a signal to what waits for it, {SIGNALS} signals in turns:");
    println!("  a bare task     min {:>9.2?}  median {:>9.2?}", bare.0, bare.1);
    println!("  the VM's code   min {:>9.2?}  median {:>9.2?}", program.0, program.1);
    let more = |program: Duration, bare: Duration| program.as_nanos() as i64 - bare.as_nanos() as i64;
    let (least, median) = (more(program.0, bare.0), more(program.1, bare.1));
    println!("  more: {least} ns of the minima, {median} ns of the medians (aim: 1000)");
    Ok(())
}

fn main() -> Result {
    if std::env::args().nth(1).as_deref() == Some("child") {
        return child();
    }
    latency()?;
    throughput()
}
