//! `raddle batch`: calls a function for every item of its input.
//!
//! Not here: batches (the library's [`raddle::batch`]), what the user sees while one runs ([`crate::watch`]).

use crate::flags::Flags;
use crate::watch::{Watch, Watched};
use crate::{input, session, signals};
use raddle::batch::format::{Column, Columns, JsonLines, JsonResults, NpyResults};
use raddle::batch::{
    self, Batch, Encode, Feed, Fingerprint, Items, Opening, ResultFile, Shard, State, Summary,
};
use raddle::vm::Scalar;
use raddle::{Code, Error, Function, Result, Runtime, Session, Trace};
use raddle_status::ResultExt;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Some items failed, and the batch ran to its end.
pub const SOME_FAILED: u8 = 20;

const HELP: &str = "\
usage: raddle batch --module=FILE [--module=FILE...] [--function=NAME] --input=IN... --output=OUT [FLAGS]

Calls a function for every item of the input, many at a time; items that wait keep no thread. One that fails harms no other.

  --module=FILE        a module; one that others import from comes before them
  --function=NAME      an export of the last module; not needed if there is only one
  --input=IN           X.jsonl or - for JSON Lines: an item on each line, {\"id\": \"a\", \"inputs\": [3, 4]} or [3, 4];
                       or, once for each argument: X.npy, split along its leading axis, or a number for every item
  --output=OUT         X.jsonl: a result on each line; X.npy: a number for each item; - for JSON Lines on standard output.
                       Files are written beside (OUT.part) and renamed when they are complete
  --workers=N          threads that run items; as many as there are processors
  --in-flight=N        items that run or wait at a time; 1024
  --timeout=TIME       for each try of an item, running and waiting: 30s, 500ms, 2m
  --retries=N          how often an item that failed is tried again, unless that is of no use; 0
  --fail-fast          stop at the first item that fails for good
  --ordered            results in the order of the items
  --state=HOW          for modules with state: per-item (each item sees the state after loading), or shared (each sees what
                       the one before left; one at a time, in order)
  --shard=I/N          only the items of shard I of N, from 0: those with crc32(id) % N = I
  --resume             go on after a crash or Ctrl-C with what OUT.part holds
  --start-over         throw away what OUT.part holds
  --summary=FILE       write the summary (JSON) there; to standard output unless results go there
  --stats=TIME         print who waits on what, that often, to standard error
  --metrics=FILE       write metrics for Prometheus there, every second
  --trace=FILE         write a trace there, to be opened at https://ui.perfetto.dev
  --quiet              no progress on standard error; there is none if that is no terminal

Exit codes: 0 all items succeeded; 20 some failed; 1 interrupted (go on with --resume); otherwise the number of the status
that is printed: the batch could not begin, or could not go on. docs/batch.md is a guide.
";

/// Runs the verb; returns the exit code.
pub fn run(arguments: &[OsString]) -> Result<u8> {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(0) };
    let order = Order::take(&mut flags)?;
    flags.no_file()?;
    // Before there is any other thread: each has the signals blocked.
    let interrupt = signals::take()?;
    let is_observed = order.watch.stats.is_some();
    let mut builder = Runtime::builder().note_waits(is_observed);
    if let Some(workers) = order.workers {
        builder = builder.workers(workers);
    }
    if let Some(path) = &order.trace {
        builder = builder.trace(Trace::create(path)?);
    }
    let runtime = builder.build()?;
    let (session, fingerprint) = order.load(&runtime)?;
    let function = session.function(&order.function(&session)?)?;
    let items = order.items(&function)?;
    let batch = runtime.batch(&session, function.name())?.stop_on(interrupt);
    let summary = order.write(order.configure(batch), items, &runtime, &function, &fingerprint)?;
    runtime.flush_trace()?;
    order.conclude(&summary)
}

/// What the flags say.
struct Order {
    modules: Vec<OsString>,
    function: Option<String>,
    inputs: Vec<String>,
    output: PathBuf,
    workers: Option<usize>,
    in_flight: Option<usize>,
    timeout: Option<Duration>,
    retries: u32,
    fails_fast: bool,
    is_ordered: bool,
    state: State,
    shard: Shard,
    opening: Opening,
    summary: Option<OsString>,
    trace: Option<OsString>,
    watch: Watch,
}

/// Lines of standard input that are on their way. Guess: the reader is never late.
const LINES_AHEAD: usize = 256;

impl Order {
    fn take(flags: &mut Flags) -> Result<Order> {
        let needed = |name: &str| invalid(format!("{name}=FILE is missing; see raddle batch --help"));
        let state = match flags.texts("--state")?.pop().as_deref() {
            None | Some("per-item") => State::PerItem,
            Some("shared") => State::Shared,
            Some(other) => return Err(invalid(format!("--state is per-item or shared, not '{other}'"))),
        };
        let (resume, anew) = (flags.switch("--resume"), flags.switch("--start-over"));
        let opening = match (resume, anew) {
            (false, false) => Opening::New,
            (true, false) => Opening::Resume,
            (false, true) => Opening::Anew,
            (true, true) => return Err(invalid("--resume and --start-over exclude each other".to_owned())),
        };
        let inputs = flags.texts("--input")?;
        let order = Order {
            modules: flags.values("--module"),
            function: flags.texts("--function")?.pop(),
            output: flags.value("--output").ok_or_else(|| needed("--output"))?.into(),
            workers: flags.parsed("--workers")?,
            in_flight: flags.parsed("--in-flight")?,
            timeout: flags.time("--timeout")?,
            retries: flags.parsed("--retries")?.unwrap_or(0),
            fails_fast: flags.switch("--fail-fast"),
            is_ordered: flags.switch("--ordered"),
            state,
            shard: shard(flags)?,
            opening,
            summary: flags.value("--summary"),
            trace: flags.value("--trace"),
            watch: Watch {
                is_quiet: flags.switch("--quiet"),
                stats: flags.time("--stats")?,
                metrics: flags.value("--metrics").map(PathBuf::from),
            },
            inputs,
        };
        let zero = [("--workers", order.workers == Some(0)), ("--in-flight", order.in_flight == Some(0))];
        if let Some((name, _)) = zero.iter().find(|(_, is_zero)| *is_zero) {
            return Err(invalid(format!("{name} has to be at least 1")));
        }
        if order.inputs.is_empty() {
            return Err(needed("--input"));
        }
        if order.modules.is_empty() {
            return Err(needed("--module"));
        }
        Ok(order)
    }

    /// Loads the modules; returns what a resumed batch has to have the same.
    fn load(&self, runtime: &Runtime) -> Result<(Session, Fingerprint)> {
        let mut builder = runtime.session().name("batch modules");
        let mut fingerprint = Fingerprint::new();
        for path in &self.modules {
            let place = || format!("in --module={}", path.to_string_lossy());
            let bytes = input::open(path, false)?;
            fingerprint = fingerprint.with_bytes("module", &bytes);
            builder = builder.bytes(bytes).within(place)?;
        }
        for text in &self.inputs {
            fingerprint = fingerprint.with("input", describe(text)?);
        }
        let format = self.output.extension().unwrap_or_default().to_string_lossy().into_owned();
        let fingerprint = fingerprint
            .with("format", format)
            .with("shard", self.shard)
            .with("state", format_args!("{:?}", self.state))
            .with("ordered", self.is_ordered());
        Ok((builder.build()?, fingerprint))
    }

    /// The function's name.
    fn function(&self, session: &Session) -> Result<String> {
        match &self.function {
            Some(name) => Ok(name.clone()),
            None => session::only_name(session.exports()),
        }
    }

    fn is_npy(&self) -> bool {
        self.output.extension().is_some_and(|extension| extension == "npy")
    }

    fn is_ordered(&self) -> bool {
        self.is_ordered || self.is_npy()
    }

    fn configure(&self, batch: Batch) -> Batch {
        let mut batch = batch.retries(self.retries).fail_fast(self.fails_fast).ordered(self.is_ordered());
        batch = batch.state(self.state).shard(self.shard);
        if let Some(count) = self.in_flight {
            batch = batch.in_flight(count);
        }
        if let Some(time) = self.timeout {
            batch = batch.timeout(time);
        }
        batch
    }

    /// The items of the input.
    fn items(&self, function: &Function) -> Result<Box<dyn Items>> {
        let kinds: Vec<Scalar> = function.signature().scalars().collect();
        let is_lines =
            |text: &str| text == "-" || [".jsonl", ".ndjson", ".json"].iter().any(|end| text.ends_with(end));
        if let Some(path) = self.inputs.iter().find(|text| is_lines(text)) {
            if self.inputs.len() > 1 {
                return Err(invalid(format!("--input={path} has all arguments of an item: it stands alone")));
            }
            return match path.as_str() {
                "-" => Ok(Box::new(standard_input(kinds))),
                path => {
                    Ok(Box::new(JsonLines::new(BufReader::with_capacity(1 << 16, open(path)?), path, kinds)))
                }
            };
        }
        let mut columns = Vec::new();
        let mut first = 0;
        for text in &self.inputs {
            let column = match text.ends_with(".npy") {
                true => Column::open(text)?,
                false => {
                    let kind = kinds.get(first).copied().unwrap_or(Scalar::I32);
                    let value = session::value(text, kind.letter());
                    Column::constant(value.within(|| format!("in --input={text}: no .jsonl or .npy file"))?)
                }
            };
            first += column.width();
            columns.push(column);
        }
        Ok(Box::new(Columns::new(columns, kinds)?))
    }

    /// Runs the batch, its results to the output.
    fn write(
        &self,
        batch: Batch,
        items: Box<dyn Items>,
        runtime: &Runtime,
        function: &Function,
        fingerprint: &Fingerprint,
    ) -> Result<Summary> {
        let watched = Watched::new(self.watch.clone(), runtime);
        let batch = batch.on_progress(watched.interval(), watched.report());
        if self.output == Path::new("-") {
            if self.opening != Opening::New {
                return Err(invalid("standard output can't be resumed".to_owned()));
            }
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            return Ok(batch.run_from(items, &mut (JsonResults, &mut out)));
        }
        match self.output.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl" | "ndjson") => self.write_file(batch, items, JsonResults, function, fingerprint),
            Some("npy") if self.shard != Shard::ALL => {
                Err(invalid("shards of an .npy file can't be put together; use .jsonl".to_owned()))
            }
            Some("npy") => {
                let mut failures = self.output.clone().into_os_string();
                failures.push(".failures.jsonl");
                let results = NpyResults::new(function.signature().results(), failures)?;
                self.write_file(batch, items, results, function, fingerprint)
            }
            _ => Err(invalid(format!("--output={} ends in neither .jsonl nor .npy", self.output.display()))),
        }
    }

    fn write_file(
        &self,
        batch: Batch,
        items: Box<dyn Items>,
        encode: impl Encode,
        function: &Function,
        fingerprint: &Fingerprint,
    ) -> Result<Summary> {
        let fingerprint = fingerprint.clone().with("function", function.name());
        let (mut file, finished) = ResultFile::open(&self.output, encode, &fingerprint, self.opening)?;
        let mut summary = batch.skip(finished).run_from(items, &mut file);
        if summary.is_complete()
            && let Err(error) = file.finish()
        {
            summary.stopped = Some(error);
        }
        Ok(summary)
    }

    /// Writes the summary; the exit code.
    fn conclude(&self, summary: &Summary) -> Result<u8> {
        let line = format!("{}\n", summary.to_json());
        match &self.summary {
            Some(path) => input::write(path, line.as_bytes())?,
            None if self.output == Path::new("-") => {}
            None => std::io::stdout().write_all(line.as_bytes()).map_err(|error| {
                Error::new(Code::Unavailable, format!("can't write the summary: {error}"))
            })?,
        }
        match &summary.stopped {
            Some(error) => Err(error.clone()),
            None => Ok(if summary.progress.failed > 0 { SOME_FAILED } else { 0 }),
        }
    }
}

/// Items from standard input, which may have none for a while: another thread waits for them.
fn standard_input(kinds: Vec<Scalar>) -> Feed {
    let (feeder, feed) = batch::feed(LINES_AHEAD);
    std::thread::spawn(move || {
        for item in JsonLines::new(std::io::stdin().lock(), "standard input", kinds) {
            if !feeder.send(item) {
                return;
            }
        }
    });
    feed
}

fn shard(flags: &mut Flags) -> Result<Shard> {
    match flags.texts("--shard")?.pop() {
        None => Ok(Shard::ALL),
        Some(text) => text.parse().within(|| "in --shard"),
    }
}

/// What tells an input from another: for a file its length and the checksum of its start.
fn describe(text: &str) -> Result<String> {
    let is_file = [".jsonl", ".ndjson", ".json", ".npy"].iter().any(|end| text.ends_with(end));
    if !is_file {
        return Ok(text.to_owned());
    }
    let broken = |error: std::io::Error| input::failed("read", text.as_ref(), &error);
    let file = open(text)?;
    let length = file.metadata().map_err(broken)?.len();
    let mut start = Vec::new();
    file.take(1 << 16).read_to_end(&mut start).map_err(broken)?;
    Ok(format!("{length}-{:08x}", crc32fast::hash(&start)))
}

fn open(path: &str) -> Result<File> {
    File::open(path).map_err(|error| input::failed("read", path.as_ref(), &error))
}

fn invalid(text: String) -> Error {
    Error::new(Code::InvalidArgument, text)
}
