//! `raddle bench`: the time that a call of a function takes.

use crate::flags::Flags;
use crate::report::{Form, Repetition, Report, Unit};
use crate::session::Session;
use crate::{devices, input, stock};
use nix::time::{ClockId, clock_gettime};
use raddle::NEVER;
use raddle_status::{Code, Error, Result, ResultExt};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::time::{Duration, Instant};

const HELP: &str = "\
usage: raddle bench --module=FILE [--module=FILE...] [--function=NAME] [--input=VALUE...] [FLAGS]

Calls a function again and again, in one context, and reports how long an iteration takes, as iree-benchmark-module does.

  --module=FILE, --function=NAME, --input=VALUE, --device=URI, --parameters=..., --flagfile=FILE
                                   as for raddle run
  --batch_size=COUNT               calls of an iteration; 1
  --batch_concurrency=COUNT        how many of them are under way at a time; 1: each is waited for by the thread that
                                   calls, which runs it
  --benchmark_min_time=0.5s        how long a repetition goes on at least; or 100x: so many iterations
  --benchmark_min_warmup_time=0    how long calls go on before, without being counted
  --benchmark_repetitions=COUNT    how often that is done; 1
  --benchmark_time_unit=ms         or ns, us, s
  --benchmark_format=console       or csv, json
  --benchmark_out=FILE, --benchmark_out_format=json
                                   writes a report to a file besides
  --benchmark_report_aggregates_only, --benchmark_display_aggregates_only
                                   leaves single repetitions out: everywhere, or on the screen
  --benchmark_list_tests           prints the function's name, and nothing else

Time is that of the clock, CPU that of all threads; both for an iteration. Loading, linking, and a first call that is not
counted come before.
";

/// What is done how often.
struct Plan {
    batch: usize,
    concurrency: usize,
    least: Least,
    warmup: Duration,
    repetitions: u32,
}

/// How long a repetition goes on.
#[derive(Clone, Copy)]
enum Least {
    Time(Duration),
    Iterations(u64),
}

/// What becomes of the results.
struct Output {
    unit: Unit,
    form: Form,
    file: Option<(OsString, Form)>,
    aggregates_only: bool,
    shows_aggregates_only: bool,
}

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    stock::expand_flagfiles(&mut flags)?;
    if devices::list(&mut flags)? {
        return Ok(());
    }
    let lists = flags.boolean("--benchmark_list_tests")?;
    let (plan, output) = (Plan::take(&mut flags)?, Output::take(&mut flags)?);
    let session = Session::open(&mut flags)?;
    stock::take_others(&mut flags, stock::STOCK_BENCH)?;
    flags.no_file()?;
    let name = format!("BM_{}/process_time/real_time", session.name);
    if lists {
        println!("{name}");
        return Ok(());
    }
    let repetitions = plan.run(&session).within(|| format!("calling {}", session.name))?;
    session.devices.print_statistics();
    output.write(&name, &repetitions)
}

impl Plan {
    fn take(flags: &mut Flags) -> Result<Plan> {
        let mut count = |name: &str| match flags.parsed::<u32>(name)? {
            Some(0) => Err(Error::new(Code::InvalidArgument, format!("{name} is 1 at least"))),
            count => Ok(count.unwrap_or(1)),
        };
        let (batch, concurrency) = (count("--batch_size")?, count("--batch_concurrency")?);
        let repetitions = count("--benchmark_repetitions")?;
        let least = flags
            .texts("--benchmark_min_time")?
            .pop()
            .map_or(Ok(Least::Time(HALF_SECOND)), |text| least(&text))?;
        let warmup = match flags.texts("--benchmark_min_warmup_time")?.pop() {
            Some(text) => seconds(&text)?,
            None => Duration::ZERO,
        };
        Ok(Plan { batch: batch as usize, concurrency: concurrency as usize, least, warmup, repetitions })
    }

    fn run(&self, session: &Session) -> Result<Vec<Repetition>> {
        // The first call translates the code.
        self.iterate(session, 1)?;
        let start = Instant::now();
        while start.elapsed() < self.warmup {
            self.iterate(session, 1)?;
        }
        let mut iterations = 1u64;
        let mut repetitions = Vec::new();
        while repetitions.len() < self.repetitions as usize {
            if let Least::Iterations(count) = self.least {
                iterations = count;
            }
            let (start, used) = (Instant::now(), processor_time()?);
            self.iterate(session, iterations)?;
            let (took, used) = (start.elapsed(), processor_time()? - used);
            if let Least::Time(least) = self.least
                && took < least
                && iterations < 1 << 40
            {
                // Aim a little over the least time; grow slowly while the clock can't tell.
                let ratio = least.as_secs_f64() / took.as_secs_f64().max(1e-9);
                iterations = (iterations as f64 * (ratio * 1.4).clamp(1.5, 100.0)).ceil() as u64;
                continue;
            }
            let (count, took) = (iterations as f64, took.as_secs_f64());
            repetitions.push(Repetition {
                iterations,
                real: took / count,
                processor: used.as_secs_f64() / count,
                rate: count * self.batch as f64 / took,
            });
        }
        Ok(repetitions)
    }

    fn iterate(&self, session: &Session, iterations: u64) -> Result {
        for _ in 0..iterations {
            if self.concurrency == 1 {
                (0..self.batch).try_for_each(|_| session.invoke().wait().map(drop))?;
                continue;
            }
            let mut under_way = VecDeque::with_capacity(self.concurrency);
            for _ in 0..self.batch {
                if under_way.len() == self.concurrency {
                    finish(under_way.pop_front())?;
                }
                let mut call = session.invoke();
                call.start()?;
                under_way.push_back(call);
            }
            while !under_way.is_empty() {
                finish(under_way.pop_front())?;
            }
        }
        Ok(())
    }
}

fn finish(call: Option<raddle::Invocation>) -> Result {
    call.map_or(Ok(()), |mut call| call.wait_until(NEVER).map(drop))
}

const HALF_SECOND: Duration = Duration::from_millis(500);

/// `0.5s`, `0.5`, or `100x`.
fn least(text: &str) -> Result<Least> {
    match text.strip_suffix('x') {
        None => seconds(text).map(Least::Time),
        Some(count) => match count.parse() {
            Ok(count) if count > 0 => Ok(Least::Iterations(count)),
            _ => Err(Error::new(Code::InvalidArgument, format!("--benchmark_min_time can't be {text}"))),
        },
    }
}

fn seconds(text: &str) -> Result<Duration> {
    let number = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let time = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    time.ok_or_else(|| {
        Error::new(Code::InvalidArgument, format!("'{text}' is no number of seconds, as 0.5s"))
    })
}

/// What all threads of this process have used.
fn processor_time() -> Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.map(Duration::from)
        .map_err(|error| Error::new(Code::Internal, format!("no clock of the process: {error}")))
}

impl Output {
    fn take(flags: &mut Flags) -> Result<Output> {
        let mut text = |name: &str, default: &str| -> Result<String> {
            Ok(flags.texts(name)?.pop().map_or(default.to_owned(), |text| stock::unquoted(&text).to_owned()))
        };
        let unit = Unit::parse(&text("--benchmark_time_unit", "ms")?)?;
        let form = Form::parse(&text("--benchmark_format", "console")?)?;
        let file_form = Form::parse(&text("--benchmark_out_format", "json")?)?;
        let file = flags.value("--benchmark_out").map(|file| (file, file_form));
        let aggregates_only = flags.boolean("--benchmark_report_aggregates_only")?;
        let shows_aggregates_only = flags.boolean("--benchmark_display_aggregates_only")?;
        Ok(Output { unit, form, file, aggregates_only, shows_aggregates_only })
    }

    fn write(&self, name: &str, repetitions: &[Repetition]) -> Result {
        let report = |aggregates_only| Report { name, unit: self.unit, repetitions, aggregates_only };
        if let Some((file, form)) = &self.file {
            input::write(file, report(self.aggregates_only).text(*form).as_bytes())?;
        }
        let shown = report(self.aggregates_only || self.shows_aggregates_only);
        input::write("-".as_ref(), shown.text(self.form).as_bytes())
    }
}
