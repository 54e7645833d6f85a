//! `raddle batch`: calls a function for every item of its input.
//!
//! Not here: batches (the library's [`raddle::batch`]), what the user sees while one runs ([`crate::watch`]).

use crate::devices::{Devices, Wanted};
use crate::flags::Flags;
use crate::watch::{Watch, Watched};
use crate::{input, session, signals};
use raddle::batch::format::{
    Column, Columns, Interface, JsonLines, JsonResults, Kind, Names, NpyResults, NpzResults, TableForm,
    TableResults,
};
use raddle::batch::{
    self, Batch, Encode, Feed, Fingerprint, Items, Opening, ResultFile, Shard, State, Summary,
};
use raddle::vm::Scalar;
use raddle::{Access, Code, Error, FilePool, Result, Runtime, Session, Trace};
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
  --input=IN           X.jsonl or - for JSON Lines: an item on each line, {\"id\": \"a\", \"inputs\": [3, 4]} or [3, 4],
                       tensors as arrays in arrays; or, once for each argument: X.npy, or X.npz:NAME, split along its leading
                       axis (X.npz: all its arrays); or X.parquet:a,b or X.arrow:a,b, an argument from each of these columns
                       (X.parquet: from all but 'id', which names the items); or what is the same for every item: a number,
                       2x2xf32=1 2 3 4, @X.npy
  --output=OUT         X.jsonl: a result on each line; X.npy: a row for each item; X.npz: an array for each result; X.parquet,
                       X.arrow: a table of id, status, message, attempts and results; - for JSON Lines on standard output.
                       Files are written beside (OUT.part) and renamed when they are complete
  --device=local-task, --parameters=SCOPE=FILE, --no-native
                       for programs of tensors, as for raddle run
  --workers=N          threads that run items; as many as there are processors
  --in-flight=N        items that run or wait at a time; 1024
  --timeout=TIME       for each try of an item, running and waiting: 30s, 500ms, 2m
  --retries=N          how often an item that failed is tried again, unless that is of no use; 0
  --retry-pause=TIME   before an item is tried again; twice as long each further time, up to a minute; 100ms
  --fail-fast          stop at the first item that fails for good
  --ordered            results in the order of the items
  --state=HOW          for modules with state: per-item (each item sees the state after loading), or shared (each sees what
                       the one before left; one at a time, in order)
  --allow-files, --allow-loopback
                       let the modules open files, or ports of this machine; they can do neither otherwise
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
    let devices = order.devices.open(&runtime)?;
    let (session, fingerprint) = order.load(&runtime, &devices)?;
    let function = session.function(&order.function(&session)?)?;
    let interface = Interface::of(&function, Some(devices.allocator()));
    order.check(&interface)?;
    let input = order.input(&interface, &devices)?;
    let batch = order.configure(runtime.batch(&session, function.name())?, input.item_bytes);
    let fingerprint = fingerprint.with("function", function.name());
    let watched = Watched::new(order.watch.clone(), &runtime);
    let is_shown = watched.is_shown();
    let batch = batch.stop_on(interrupt).on_progress(watched.interval(), watched.report());
    let summary = order.write(batch, input, &interface, &fingerprint)?;
    if is_shown {
        eprintln!();
    }
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
    retry_pause: Option<Duration>,
    fails_fast: bool,
    is_ordered: bool,
    state: State,
    shard: Shard,
    opening: Opening,
    devices: Wanted,
    access: Access,
    summary: Option<OsString>,
    trace: Option<OsString>,
    watch: Watch,
}

/// Threads that open files for modules that may.
const FILE_THREADS: usize = 4;

/// Arguments of items in flight, if nobody says how many. Unit: bytes. Guess: little beside what a machine has.
const IN_FLIGHT_BYTES: usize = 256 << 20;

/// Items in flight, whatever their size, if nobody says how many. Guess: enough to keep some cores busy.
const IN_FLIGHT_LEAST: usize = 16;

/// The same for small ones: the library's default.
const IN_FLIGHT_MOST: usize = 1024;

/// Lines of standard input that are on their way. Guess: the reader is never late.
const LINES_AHEAD: usize = 256;

/// Where the items come from.
struct Input {
    items: Box<dyn Items>,
    /// What an item takes from the input, if that is known.
    item_bytes: usize,
    names: Names,
}

impl Input {
    fn lines(items: impl Items + 'static) -> Input {
        Input { items: Box::new(items), item_bytes: 0, names: Names::Texts }
    }
}

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
            retry_pause: flags.time("--retry-pause")?,
            fails_fast: flags.switch("--fail-fast"),
            is_ordered: flags.switch("--ordered"),
            state,
            shard: shard(flags)?,
            opening,
            devices: Wanted::take(flags)?,
            access: access(flags),
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
    fn load(&self, runtime: &Runtime, devices: &Devices) -> Result<(Session, Fingerprint)> {
        let mut builder = devices.lend(runtime.session().name("batch modules").access(self.access))?;
        if self.access != Access::default() {
            builder = builder.file_pool(FilePool::new(FILE_THREADS)?);
        }
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
        for text in &self.devices.files {
            fingerprint = fingerprint.with("parameters", text);
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

    fn is_ordered(&self) -> bool {
        self.is_ordered
            || self.output.extension().is_some_and(|extension| extension == "npy" || extension == "npz")
    }

    /// # Errors
    /// INVALID_ARGUMENT: the function can't be called as it is asked for.
    fn check(&self, interface: &Interface) -> Result {
        match interface.writes_arguments && self.retries > 0 {
            true => {
                let text = "the function writes its results into an argument: another try would see what the last one wrote; \
                            leave --retries out";
                Err(invalid(text.to_owned()))
            }
            false => Ok(()),
        }
    }

    /// `item_bytes`: what an item takes from its input, if that is known.
    fn configure(&self, batch: Batch, item_bytes: usize) -> Batch {
        let mut batch = batch.retries(self.retries).fail_fast(self.fails_fast).ordered(self.is_ordered());
        batch = batch.state(self.state).shard(self.shard);
        let by_memory = (IN_FLIGHT_BYTES / item_bytes.max(1)).clamp(IN_FLIGHT_LEAST, IN_FLIGHT_MOST);
        batch = batch.in_flight(self.in_flight.unwrap_or(by_memory));
        if let Some(pause) = self.retry_pause {
            batch = batch.retry_pause(pause);
        }
        if let Some(time) = self.timeout {
            batch = batch.timeout(time);
        }
        batch
    }

    fn input(&self, interface: &Interface, devices: &Devices) -> Result<Input> {
        let is_lines =
            |text: &str| text == "-" || [".jsonl", ".ndjson", ".json"].iter().any(|end| text.ends_with(end));
        if let Some(path) = self.inputs.iter().find(|text| is_lines(text)) {
            if self.inputs.len() > 1 {
                return Err(invalid(format!("--input={path} has all arguments of an item: it stands alone")));
            }
            if path == "-" {
                return Ok(Input::lines(standard_input(interface.clone())));
            }
            let reader = BufReader::with_capacity(1 << 16, open(path)?);
            return Ok(Input::lines(JsonLines::new(reader, path, interface.clone())));
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut reader = devices.reader();
        for text in &self.inputs {
            let place = || format!("in --input={text}");
            if let Some((path, name)) = parts(text, &ARCHIVES) {
                columns.extend(Column::open_all(path, name).within(place)?);
            } else if let Some((path, names)) = parts(text, &TABLES) {
                columns.push(Column::open_table(path, names).within(place)?);
            } else if text.ends_with(".npy") && !text.starts_with('@') {
                columns.push(Column::open(text)?);
            } else {
                let first = columns
                    .iter()
                    .fold(0, |first, column| first + column.width(interface.arguments.get(first)));
                let value = match interface.arguments.get(first) {
                    Some(Kind::Plain(kind)) if *kind != Scalar::Ref => session::value(text, kind.letter()),
                    Some(_) if text != "(null)" => {
                        reader.read(text).and_then(|mut views| match views.pop() {
                            Some(view) if views.is_empty() => Ok(view.into_value()),
                            _ => Err(invalid("it is not one tensor".to_owned())),
                        })
                    }
                    _ => session::value(text, 'r'),
                };
                columns.push(Column::constant(value.within(|| {
                    format!("in --input={text}: no .jsonl, .npy, .npz, .parquet or .arrow file")
                })?));
            }
        }
        let columns = Columns::new(columns, interface)?;
        let (item_bytes, names) = (columns.item_bytes(), columns.names());
        Ok(Input { items: Box::new(columns), item_bytes, names })
    }

    /// Runs the batch, its results to the output.
    fn write(
        &self,
        batch: Batch,
        input: Input,
        interface: &Interface,
        fingerprint: &Fingerprint,
    ) -> Result<Summary> {
        let Input { items, names, .. } = input;
        if self.output == Path::new("-") {
            if self.opening != Opening::New {
                return Err(invalid("standard output can't be resumed".to_owned()));
            }
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            return Ok(batch.run_from(items, &mut (JsonResults, &mut out)));
        }
        let mut failures = self.output.clone().into_os_string();
        failures.push(".failures.jsonl");
        if let Some(form) = TableForm::of(&self.output) {
            let results = TableResults::new(form, interface, names)
                .within(|| format!("in --output={}", self.output.display()))?;
            return self.write_file(batch, items, results, fingerprint);
        }
        match self.output.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl" | "ndjson") => self.write_file(batch, items, JsonResults, fingerprint),
            Some("npy") if self.shard != Shard::ALL => Err(invalid(
                "shards of an .npy file can't be put together; use .jsonl, .npz or .parquet".to_owned(),
            )),
            Some("npy") => self.write_file(batch, items, NpyResults::new(interface, failures)?, fingerprint),
            Some("npz") => self.write_file(batch, items, NpzResults::new(interface, failures)?, fingerprint),
            _ => {
                let text = format!(
                    "--output={} ends in none of .jsonl, .npy, .npz, .parquet, .arrow",
                    self.output.display()
                );
                Err(invalid(text))
            }
        }
    }

    fn write_file(
        &self,
        batch: Batch,
        items: Box<dyn Items>,
        encode: impl Encode,
        fingerprint: &Fingerprint,
    ) -> Result<Summary> {
        let (mut file, finished) = ResultFile::open(&self.output, encode, fingerprint, self.opening)?;
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
            None => Ok(if summary.progress.failed + summary.progress.resumed_failed > 0 {
                SOME_FAILED
            } else {
                0
            }),
        }
    }
}

/// Items from standard input, which may have none for a while: another thread waits for them.
fn standard_input(interface: Interface) -> Feed {
    let (feeder, feed) = batch::feed(LINES_AHEAD);
    std::thread::spawn(move || {
        for item in JsonLines::new(std::io::stdin().lock(), "standard input", interface) {
            if !feeder.send(item) {
                return;
            }
        }
    });
    feed
}

/// What the modules may reach.
fn access(flags: &mut Flags) -> Access {
    let mut access = Access::default();
    if flags.switch("--allow-files") {
        access = access.files();
    }
    if flags.switch("--allow-loopback") {
        access = access.loopback();
    }
    access
}

/// How the names of files end that hold several arrays.
const ARCHIVES: [&str; 1] = [".npz"];

/// The same for tables.
const TABLES: [&str; 3] = [".parquet", ".arrow", ".feather"];

/// A file whose name has one of these ends, and what of it: `X.npz`, `X.npz:NAME`.
fn parts<'a>(text: &'a str, ends: &[&str]) -> Option<(&'a str, Option<&'a str>)> {
    ends.iter().find_map(|end| {
        if text.ends_with(end) {
            return Some((text, None));
        }
        let (at, _) = text.match_indices(&format!("{end}:")).next()?;
        let at = at + end.len();
        Some((&text[..at], Some(&text[at + 1..])))
    })
}

fn shard(flags: &mut Flags) -> Result<Shard> {
    match flags.texts("--shard")?.pop() {
        None => Ok(Shard::ALL),
        Some(text) => text.parse().within(|| "in --shard"),
    }
}

/// What tells an input from another: for a file its length and the checksum of its start.
fn describe(text: &str) -> Result<String> {
    let own = parts(text, &ARCHIVES).or_else(|| parts(text, &TABLES));
    let (path, name) = own.unwrap_or((text.strip_prefix('@').unwrap_or(text), None));
    if own.is_none() && ![".jsonl", ".ndjson", ".json", ".npy"].iter().any(|end| path.ends_with(end)) {
        return Ok(text.to_owned());
    }
    let broken = |error: std::io::Error| input::failed("read", path.as_ref(), &error);
    let file = open(path)?;
    let length = file.metadata().map_err(broken)?.len();
    let mut start = Vec::new();
    file.take(1 << 16).read_to_end(&mut start).map_err(broken)?;
    Ok(format!("{length}-{:08x} {}", crc32fast::hash(&start), name.unwrap_or_default()).trim_end().to_owned())
}

fn open(path: &str) -> Result<File> {
    File::open(path).map_err(|error| input::failed("read", path.as_ref(), &error))
}

fn invalid(text: String) -> Error {
    Error::new(Code::InvalidArgument, text)
}
