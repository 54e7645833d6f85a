//! One million timers over one second: CPU time, memory, lateness; then a million armed and cancelled. Prints figures, asserts none.
//!
//! `cargo bench -p raddle-wait --bench timers [count]`

#![allow(unsafe_code)]

use raddle_wait::*;
use std::ptr::NonNull;

struct At(Moment);

impl WaitSource for At {
    fn arm(&self, _: SourceWaker) {}

    fn route(&self) -> Route<'_> {
        Route::Moment(self.0)
    }
}

/// A program that sleeps once; its frame waits on a source of its own.
#[repr(C)]
struct Sleeper {
    resume: Resume,
    frame: Option<Frame<Box<At>>>,
    resumed: std::cell::Cell<Moment>,
}

thread_local! {
    static SET: WaitSet = WaitSet::new(Limits::default()).expect("a wait set");
}

unsafe fn schedule(header: NonNull<Resume>) {
    // SAFETY: the header is the first field of a sleeper, on this bench's only thread.
    let sleeper = unsafe { header.cast::<Sleeper>().as_ref() };
    sleeper.resumed.set(SET.with(Stage::now));
}

/// CPU seconds of this process, resident MB, peak MB.
fn usage() -> (f64, usize, usize) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    };
    (ticks / 100.0, line("VmRSS:"), line("VmHWM:"))
}

fn begin(sleeper: &mut Sleeper, set: &WaitSet, pool: &SlotPool, due: Moment) {
    let frame = Frame::new(pool, Condition::Until(Box::new(At(due))), NEVER).unwrap();
    let header = NonNull::from(&*sleeper).cast();
    let frame = sleeper.frame.insert(frame);
    // SAFETY: the sleepers stay in place; the frame is not touched until scheduled.
    let progress = unsafe { frame.begin(set, header, None) };
    assert!(matches!(progress, Progress::Waiting));
}

fn main() {
    let count: usize = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000_000);
    let (set, pool) = (SET.with(Clone::clone), SlotPool::new());
    let before = usage();
    // SAFETY: `schedule` is given headers of sleepers.
    let make = || unsafe { Resume::new(schedule) };
    let mut sleepers: Vec<_> =
        (0..count).map(|_| Sleeper { resume: make(), frame: None, resumed: 0.into() }).collect();
    println!("sleeper {} bytes, frame {} bytes", size_of::<Sleeper>(), size_of::<Frame<Box<At>>>());
    let begun = set.now();
    let first = begun + 2_000_000_000;
    let mut seed = 88_172_645_463_325_252u64;
    let mut dues = Vec::with_capacity(count);
    for sleeper in &mut sleepers {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        dues.push(first + seed % 1_000_000_000);
        begin(sleeper, &set, &pool, *dues.last().unwrap());
    }
    let armed = (set.now() - begun) as f64 / 1e9;
    let middle = usage();
    let mut events = Events::with_capacity(64);
    let (mut fired, mut turns) = (0, 0);
    while fired < count {
        fired += set.turn(&mut events, Sleep::UntilEvent).unwrap().fired;
        turns += 1;
    }
    let after = usage();
    let mut lateness: Vec<u64> =
        sleepers.iter().zip(&dues).map(|(sleeper, due)| sleeper.resumed.get() - due).collect();
    lateness.sort_unstable();
    println!(
        "{count} timers over 1 s: {:.2} CPU s (arming {armed:.2} s, firing {:.2})",
        after.0 - before.0,
        after.0 - middle.0
    );
    println!("resident {} MB, peak {} MB, before {} MB; {turns} turns", after.1, after.2, before.1);
    let at = |part: f64| lateness[(part * (count - 1) as f64) as usize] as f64 / 1e3;
    println!("lateness us: p50 {:.1} p99 {:.1} max {:.1}", at(0.5), at(0.99), at(1.0));
    for sleeper in &mut sleepers {
        let header = NonNull::from(&*sleeper).cast();
        // SAFETY: every sleeper was scheduled.
        let progress = unsafe { sleeper.frame.as_mut().unwrap().conclude(&set, header, None) };
        assert!(matches!(progress, Progress::Done(Outcome::Ready { .. })));
    }
    drop(sleepers);

    let cancel = CancelPoint::new(&pool);
    let before = usage();
    let begun = set.now();
    let mut sleeper = Sleeper { resume: make(), frame: None, resumed: 0.into() };
    for _ in 0..count {
        begin_cancelled(&mut sleeper, &set, &pool, &cancel);
    }
    let nanoseconds = (set.now() - begun) as f64 / count as f64;
    println!(
        "{count} armed and cancelled: {nanoseconds:.0} ns each, resident {} -> {} MB",
        before.1,
        usage().1
    );
}

fn begin_cancelled(sleeper: &mut Sleeper, set: &WaitSet, pool: &SlotPool, cancel: &CancelPoint) {
    let frame = Frame::new(pool, Condition::Until(Box::new(At(NEVER - 1))), NEVER).unwrap();
    let header = NonNull::from(&*sleeper).cast();
    let frame = sleeper.frame.insert(frame);
    cancel.reset();
    // SAFETY: the sleeper stays in place until it is scheduled.
    let progress = unsafe { frame.begin(set, header, Some(cancel)) };
    assert!(matches!(progress, Progress::Waiting));
    assert!(cancel.request());
    // SAFETY: scheduled by the request.
    let progress = unsafe { frame.conclude(set, header, Some(cancel)) };
    assert!(matches!(progress, Progress::Done(Outcome::Cancelled)));
}
