//! `raddle bench`: the time that a call of a function takes.

use crate::flags::Flags;
use crate::session::Session;
use crate::stock;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Idle, Storage};
use std::ffi::OsString;
use std::time::{Duration, Instant};

const HELP: &str = "\
usage: raddle bench --module=FILE [--module=FILE...] [--function=NAME] [--input=VALUE...] [FLAGS]

Calls a function again and again, in one context, and prints how long a call takes.

  --module=FILE, --module_mode=mmap, --function=NAME, --input=VALUE, --flagfile=FILE
                                   as for raddle run
  --benchmark_min_time=SECONDS     how long a repetition goes on at least; 0.5
  --benchmark_repetitions=COUNT    how often that is done; 5

A repetition's time is its duration divided by its number of calls; the table shows the fastest repetition,
the median and the slowest. Loading, linking, and a first call that is not counted come before.
";

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    let session = Session::open(&mut flags)?;
    let seconds = flags.parsed("--benchmark_min_time")?.unwrap_or(0.5);
    let repetitions = flags.parsed::<u32>("--benchmark_repetitions")?.unwrap_or(5);
    stock::take_others(&mut flags)?;
    flags.no_file()?;
    let least = Duration::try_from_secs_f64(seconds)
        .map_err(|_| Error::new(Code::InvalidArgument, format!("--benchmark_min_time can't be {seconds}")))?;
    let mut idle = first(&session)?;
    let mut batch = 1u64;
    let mut times = Vec::new();
    let mut calls = 0;
    while times.len() < repetitions.max(1) as usize {
        let start = Instant::now();
        for _ in 0..batch {
            idle = session.call(idle)?.again();
        }
        let took = start.elapsed();
        if took < least && batch < 1 << 40 {
            // Aim a little over the least time; grow slowly while the clock can't tell.
            let ratio = least.as_secs_f64() / took.as_secs_f64().max(1e-9);
            batch = (batch as f64 * (ratio * 1.2).clamp(1.5, 100.0)).ceil() as u64;
            continue;
        }
        calls += batch;
        times.push(took.as_secs_f64() * 1e9 / batch as f64);
    }
    times.sort_by(f64::total_cmp);
    println!("{:<24} {:>12} {:>12} {:>12} {:>12}", "function", "min", "median", "max", "calls");
    let [min, median, max] = [times[0], times[times.len() / 2], times[times.len() - 1]].map(unit);
    println!("{:<24} {min:>12} {median:>12} {max:>12} {calls:>12}", session.name);
    Ok(())
}

/// The call that translates the code.
fn first(session: &Session) -> Result<Idle> {
    let idle = Idle::new(&session.function, &Storage::default())?;
    Ok(session.call(idle)?.again())
}

fn unit(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
