//! What the user sees of a batch while it runs: progress on a terminal, who waits on what, metrics.
//!
//! Not here: the batch ([`crate::commands`]).

use raddle::Runtime;
use raddle::batch::{Progress, prometheus};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// How often metrics are written.
const METRICS_EVERY: Duration = Duration::from_secs(1);

/// Different waits that are shown at a time.
const WAITS_SHOWN: usize = 10;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Watch {
    pub is_quiet: bool,
    pub stats: Option<Duration>,
    pub metrics: Option<PathBuf>,
}

/// The same, at work.
pub struct Watched {
    watch: Watch,
    runtime: Runtime,
    is_terminal: bool,
}

impl Watched {
    pub fn new(watch: Watch, runtime: &Runtime) -> Watched {
        let is_terminal = !watch.is_quiet && std::io::stderr().is_terminal();
        Watched { watch, runtime: runtime.clone(), is_terminal }
    }

    /// How often something is due. An hour where nothing is: then the batch sleeps undisturbed.
    pub fn interval(&self) -> Duration {
        let progress = self.is_terminal.then_some(PROGRESS_EVERY);
        let metrics = self.watch.metrics.is_some().then_some(METRICS_EVERY);
        [progress, metrics, self.watch.stats].into_iter().flatten().min().unwrap_or(Duration::from_secs(3600))
    }

    /// Whether a line of progress is on the terminal, and stays there without its end.
    pub fn is_shown(&self) -> bool {
        self.is_terminal
    }

    /// What is called then.
    pub fn report(self) -> impl FnMut(&Progress) + 'static {
        let (mut stats_at, mut metrics_at) = (Instant::now(), None::<Instant>);
        move |progress: &Progress| {
            if let Some(path) = &self.watch.metrics
                && (progress.in_flight == 0 || metrics_at.is_none_or(|at| at.elapsed() >= METRICS_EVERY))
            {
                metrics_at = Some(Instant::now());
                write_metrics(path, &prometheus(progress, &self.runtime.executor().counts()));
            }
            if let Some(every) = self.watch.stats
                && stats_at.elapsed() >= every
            {
                stats_at = Instant::now();
                eprint!("{}{}", if self.is_terminal { "\r\x1b[K" } else { "" }, self.stats(progress));
            }
            if self.is_terminal {
                eprint!("\r\x1b[K{}", line(progress));
                let _ = std::io::stderr().flush();
            }
        }
    }

    /// Who waits on what, the most frequent first.
    fn stats(&self, progress: &Progress) -> String {
        let dump = self.runtime.dump();
        let mut waits: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let runs = dump.scopes.iter().flat_map(|scope| &scope.runs);
        for run in runs.filter(|run| run.name.is_some()) {
            for wait in &run.waits {
                *waits.entry((run.name.as_deref().unwrap_or(""), kind(&wait.condition))).or_default() += 1;
            }
        }
        let mut waits: Vec<_> = waits.into_iter().collect();
        waits.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut text = format!("{}\n", line(progress));
        for ((name, condition), count) in waits.iter().take(WAITS_SHOWN) {
            text += &format!("  {count} x {name} waits for {condition}\n");
        }
        for remark in &dump.remarks {
            text += &format!("  {remark}\n");
        }
        text
    }
}

/// A condition without the numbers that make each one different.
fn kind(condition: &str) -> &str {
    condition.split(" in ").next().unwrap_or(condition)
}

fn line(progress: &Progress) -> String {
    let of = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
    let eta = match progress.remaining() {
        Some(left) if progress.ended() > 0 => format!(", {:.0} s left", left.as_secs_f64()),
        _ => String::new(),
    };
    format!(
        "{}{of} items, {:.0}/s, {} in flight, {} waiting, {} failed{eta}",
        progress.passed(),
        progress.rate(),
        progress.in_flight,
        progress.waiting,
        progress.failed
    )
}

/// Beside and renamed, so that a reader sees all of them or the ones before. What fails is tried again the next time.
fn write_metrics(path: &Path, text: &str) {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    if std::fs::write(&beside, text).is_ok() {
        let _ = std::fs::rename(&beside, path);
    }
}
