//! `raddle trace`: a trace as a picture.
//!
//! Not here: writing traces (the library's `Trace`).

use crate::{flags::Flags, input};
use raddle_status::{Code, Error, Result};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;

const HELP: &str = "\
usage: raddle trace [--output=FILE.svg] TRACE

Draws what raddle batch --trace=TRACE wrote: a track for each thread with its steps, the waits below, and an arrow from each
signal to the step that it caused. For short traces; https://ui.perfetto.dev shows long ones.

  --output=FILE    write there instead of to standard output
";

/// Events that are drawn at most. Guess: nobody sees more in one picture.
const EVENTS_MAX: usize = 20_000;

/// The whole, and where time begins. Unit: pixels, as below.
const WIDTH: f64 = 1000.0;
const LEFT: f64 = 150.0;
const TOP: f64 = 24.0;

/// Heights of a thread's track and of a wait.
const TRACK: f64 = 30.0;
const LANE: f64 = 9.0;

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    let output = flags.value("--output").unwrap_or_else(|| "-".into());
    let path = flags.file()?;
    let bytes = input::read(&path)?;
    let place = |error: Error| error.within(format!("in {}", path.to_string_lossy()));
    let picture = Picture::read(&String::from_utf8_lossy(&bytes)).map_err(place)?;
    input::write(&output, picture.to_svg().as_bytes())
}

/// A stretch of time. Unit: us.
struct Span {
    from: f64,
    to: f64,
    thread: u64,
    name: String,
}

#[derive(Default)]
struct Picture {
    threads: BTreeMap<u64, String>,
    slices: Vec<Span>,
    /// By number, as the arrows.
    waits: BTreeMap<u64, Span>,
    /// Tail and head: thread and time.
    arrows: BTreeMap<u64, [Option<(u64, f64)>; 2]>,
}

impl Picture {
    /// # Errors
    /// INVALID_ARGUMENT: a line is no event of a trace. OUT_OF_RANGE: there are too many.
    fn read(text: &str) -> Result<Picture> {
        let mut picture = Picture::default();
        let lines = text.lines().enumerate().map(|(at, line)| (at, line.trim_end_matches(',')));
        for (count, (at, line)) in lines.filter(|(_, line)| !matches!(*line, "" | "[" | "]")).enumerate() {
            if count == EVENTS_MAX {
                let text =
                    format!("more than {EVENTS_MAX} events are no picture; see https://ui.perfetto.dev");
                return Err(Error::new(Code::OutOfRange, text));
            }
            match serde_json::from_str(line) {
                Ok(event) => picture.add(&event),
                // Where the process died.
                Err(_) if text.lines().count() == at + 1 => {}
                Err(error) => {
                    let text = format!("line {} is no event: {error}", at + 1);
                    return Err(Error::new(Code::InvalidArgument, text));
                }
            }
        }
        Ok(picture)
    }

    fn add(&mut self, event: &Json) {
        let thread = event["tid"].as_u64().unwrap_or(0);
        let (at, id) = (event["ts"].as_f64().unwrap_or(0.0), event["id"].as_u64().unwrap_or(0));
        let name = || event["name"].as_str().unwrap_or_default().to_owned();
        match event["ph"].as_str().unwrap_or_default() {
            "M" if event["name"] == "thread_name" => {
                let name = event["args"]["name"].as_str().unwrap_or_default().to_owned();
                self.threads.insert(thread, name);
            }
            "X" => {
                let to = at + event["dur"].as_f64().unwrap_or(0.0);
                self.slices.push(Span { from: at, to, thread, name: name() });
            }
            "b" => drop(self.waits.insert(id, Span { from: at, to: at, thread, name: name() })),
            "e" => {
                if let Some(wait) = self.waits.get_mut(&id) {
                    wait.to = at;
                }
            }
            "s" => self.arrows.entry(id).or_default()[0] = Some((thread, at)),
            "f" => self.arrows.entry(id).or_default()[1] = Some((thread, at)),
            _ => {}
        }
    }

    /// The lane of each wait: the first that is free.
    fn lanes(&self) -> (Vec<(usize, &Span)>, usize) {
        let mut waits: Vec<&Span> = self.waits.values().collect();
        waits.sort_by(|one, other| one.from.total_cmp(&other.from));
        let mut ends: Vec<f64> = Vec::new();
        let placed = waits.into_iter().map(|wait| {
            let free = ends.iter().position(|end| *end <= wait.from).unwrap_or(ends.len());
            if free == ends.len() {
                ends.push(0.0);
            }
            ends[free] = wait.to;
            (free, wait)
        });
        (placed.collect(), ends.len())
    }

    fn to_svg(&self) -> String {
        let spans = || self.slices.iter().chain(self.waits.values());
        let from = spans().map(|span| span.from).fold(f64::MAX, f64::min);
        let to = spans().map(|span| span.to).fold(from, f64::max);
        let scale = (WIDTH - LEFT - 10.0) / (to - from).max(1e-3);
        let x = |at: f64| LEFT + (at - from) * scale;
        let rows: BTreeMap<u64, usize> =
            self.threads.keys().enumerate().map(|(row, thread)| (*thread, row)).collect();
        let y = |thread: &u64| TOP + TRACK * rows.get(thread).copied().unwrap_or(0) as f64;
        let (waits, lane_count) = self.lanes();
        let first_lane = TOP + TRACK * rows.len() as f64 + 12.0;
        let height = first_lane + LANE * lane_count as f64 + 12.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" \
             font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        // A string takes any text.
        for share in 0..=4 {
            let at = from + (to - from) * f64::from(share) / 4.0;
            let (x, ms) = (x(at), (at - from) / 1000.0);
            let anchor = if share == 4 { "end" } else { "middle" };
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {TOP} V{height:.0}\" stroke=\"#dddddd\"/><text x=\"{x:.1}\" y=\"15\" text-anchor=\"{anchor}\">{ms:.2} ms</text>"
            );
        }
        for (thread, name) in &self.threads {
            let (y, name) = (y(thread) + 17.0, escaped(name));
            let _ = writeln!(svg, "<text x=\"8\" y=\"{y:.1}\">{name}</text>");
        }
        let _ = writeln!(svg, "<text x=\"8\" y=\"{:.1}\">waits</text>", first_lane + 9.0);
        let mut bar = |class: &str, fill: &str, span: &Span, y: f64, height: f64| {
            let (x, width) = (x(span.from), ((span.to - span.from) * scale).max(1.0));
            let (name, us) = (escaped(&span.name), span.to - span.from);
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{height}\" fill=\"{fill}\">\
                 <title>{name}, {us:.1} us</title></rect>"
            );
        };
        for (lane, wait) in waits {
            bar("wait", "#f0c27b", wait, first_lane + LANE * lane as f64, LANE - 2.0);
        }
        for slice in &self.slices {
            let (class, fill) =
                if slice.name.starts_with("wakes ") { ("signal", "#c0392b") } else { ("step", "#2f6fa7") };
            bar(class, fill, slice, y(&slice.thread) + 6.0, TRACK - 14.0);
        }
        for ends in self.arrows.values() {
            if let [Some((tail, left)), Some((head, right))] = ends {
                let (x1, y1, x2, y2) = (x(*left), y(tail) + TRACK - 8.0, x(*right), y(head) + TRACK - 8.0);
                let below = y1.max(y2) + 7.0;
                let _ = writeln!(
                    svg,
                    "<path class=\"wake\" d=\"M{x1:.2} {y1:.1} C{x1:.2} {below:.1} {x2:.2} {below:.1} {x2:.2} {y2:.1}\" fill=\"none\" stroke=\"#c0392b\"/>"
                );
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
