//! From raw results to figures: minimum and median of all samples of all processes.

use crate::peers::{self, Kind, Peer};
use crate::plan;
use crate::record::Results;
use bench_harness::{Better, Case, Metric};
use std::collections::BTreeMap;

/// One peer at one point, in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The best sample.
    pub best: f64,
    /// The middle of all samples.
    pub median: f64,
    /// From so many processes.
    pub processes: usize,
}

/// Where a figure stands: case, size, workers, metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The index of the case.
    pub case: usize,
    /// The size.
    pub size: usize,
    /// Worker threads.
    pub workers: usize,
    /// The index of the metric.
    pub metric: usize,
}

/// The figures of a run.
#[derive(Debug)]
pub struct Figures<'a> {
    /// Where they come from.
    pub results: &'a Results,
    /// By place, then by the peer's index.
    pub all: BTreeMap<Place, BTreeMap<usize, Figure>>,
}

impl Place {
    /// The case.
    pub fn case(&self) -> &'static Case {
        plan::cases().nth(self.case).expect("places are made from cases")
    }

    /// The metric.
    pub fn metric(&self) -> &'static Metric {
        &self.case().metrics[self.metric]
    }
}

impl<'a> Figures<'a> {
    /// Takes samples together. Results of cases, metrics and peers that are gone are left out.
    pub fn new(results: &'a Results) -> Figures<'a> {
        let mut samples: BTreeMap<(Place, usize), (Vec<f64>, usize)> = BTreeMap::new();
        for record in &results.records {
            let case = plan::cases().position(|case| case.name == record.case);
            let peer = peers::ALL.iter().position(|peer| peer.name == record.peer);
            let (Some(case), Some(peer)) = (case, peer) else { continue };
            for (name, values) in &record.answer.metrics {
                let metrics = plan::cases().nth(case).expect("it was found").metrics;
                let Some(metric) = metrics.iter().position(|metric| metric.name == name) else { continue };
                let place = Place { case, size: record.size, workers: record.workers, metric };
                let (all, processes) = samples.entry((place, peer)).or_default();
                all.extend(values);
                *processes += 1;
            }
        }
        let mut all: BTreeMap<Place, BTreeMap<usize, Figure>> = BTreeMap::new();
        for ((place, peer), (samples, processes)) in samples {
            if let Some(figure) = figure(place.metric().better, samples, processes) {
                all.entry(place).or_default().insert(peer, figure);
            }
        }
        Figures { results, all }
    }

    /// The figure of a peer at a place.
    pub fn of(&self, place: &Place, name: &str) -> Option<&Figure> {
        let peer = peers::ALL.iter().position(|peer| peer.name == name)?;
        self.all.get(place)?.get(&peer)
    }

    /// The peer of this kind with the best median at a place.
    pub fn leader(&self, place: &Place, kind: Kind) -> Option<(&'static Peer, &Figure)> {
        let better = place.metric().better;
        let rows = self.all.get(place)?.iter().map(|(&peer, figure)| (&peers::ALL[peer], figure));
        rows.filter(|(peer, _)| peer.kind == kind)
            .reduce(|best, row| if better.reaches(best.1.median, row.1.median) { best } else { row })
    }
}

fn figure(better: Better, mut samples: Vec<f64>, processes: usize) -> Option<Figure> {
    samples.sort_by(f64::total_cmp);
    let best = better.best(samples.iter().copied())?;
    Some(Figure { best, median: samples[samples.len() / 2], processes })
}

/// Three digits that matter.
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => {
            let digits = format!("{:.0}", value.abs());
            let grouped: Vec<&str> = {
                let first = digits.len() % 3;
                let (head, tail) = digits.split_at(first);
                let parts = tail.as_bytes().chunks(3).filter_map(|part| std::str::from_utf8(part).ok());
                std::iter::once(head).filter(|head| !head.is_empty()).chain(parts).collect()
            };
            format!("{}{}", if value < 0.0 { "-" } else { "" }, grouped.join(","))
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0.00"), (0.1234, "0.12"), (0.01234, "0.0123"), (12.34, "12.3"), (1234.5, "1234")]
        {
            assert_eq!(short(value), text);
        }
        assert_eq!((short(1_234_567.0), short(-45_678.0)), ("1,234,567".to_owned(), "-45,678".to_owned()));
    }

    #[test]
    fn the_best_is_the_largest_where_more_is_better() {
        let samples = vec![3.0, 1.0, 2.0];
        let expected = |best| Some(Figure { best, median: 2.0, processes: 1 });
        assert_eq!(figure(Better::Less, samples.clone(), 1), expected(1.0));
        assert_eq!(figure(Better::More, samples, 1), expected(3.0));
        assert_eq!(figure(Better::Less, vec![], 0), None);
    }
}
