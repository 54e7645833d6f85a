//! How cost grows: one picture for each case and metric.

use crate::Result;
use crate::figures::{Figures, Place};
use crate::peers::{self, Kind};
use crate::plan;
use crate::plot::{Line, Plot};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Writes the pictures, and returns the section that shows them.
///
/// # Errors
/// A picture can't be written.
pub fn section(root: &Path, folder: &str, figures: &Figures<'_>) -> Result<String> {
    let machine = &figures.results.head;
    let mut text = format!(
        "\n## How cost grows\n\nMeasured {} on {}; medians, three processes each.\n",
        machine.start,
        machine.machine.describe()
    );
    for (index, case) in plan::cases().enumerate() {
        for (metric_index, metric) in case.metrics.iter().enumerate() {
            let places: Vec<&Place> = figures
                .all
                .keys()
                .filter(|place| place.case == index && place.metric == metric_index)
                .collect();
            if places.len() < 2 {
                continue;
            }
            let title = format!("{}: {} ({})", case.name, metric.name, metric.unit);
            let plot = Plot {
                title: title.clone(),
                axis: case.axis.name.to_owned(),
                lines: lines(figures, &places),
            };
            let name = format!("{}-{}.svg", case.name.replace('/', "-"), metric.name.replace([' ', '%'], ""));
            let path = root.join("results").join(folder).join(&name);
            fs::write(&path, plot.svg()).map_err(|error| format!("{}: {error}", path.display()))?;
            let _ = writeln!(text, "\n![{title}](results/{folder}/{name})");
        }
    }
    Ok(text)
}

/// One line for each peer.
fn lines(figures: &Figures<'_>, places: &[&Place]) -> Vec<Line> {
    let line = |(index, peer): (usize, &peers::Peer)| {
        let point = |place: &&Place| Some((place.size as f64, figures.all[*place].get(&index)?.median));
        let points: Vec<_> = places.iter().filter_map(point).collect();
        Line {
            name: peer.name.to_owned(),
            is_ours: peer.kind == Kind::Ours,
            is_mark: peer.kind == Kind::Mark,
            points,
        }
    };
    peers::ALL.iter().enumerate().map(line).filter(|line| !line.points.is_empty()).collect()
}
