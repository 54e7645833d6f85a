//! What is measured: a case of a problem, its metrics, and the aims that are set for raddle.

/// One case: a task that every peer does in its own idiom.
#[derive(Debug)]
pub struct Case {
    /// `problem/case`, the first word of a request.
    pub name: &'static str,
    /// What a peer does in it, in one sentence for the report.
    pub what: &'static str,
    /// What is read off. The first is what growth is drawn for.
    pub metrics: &'static [Metric],
    /// What `size` counts: tasks, others outstanding, invocations.
    pub axis: Axis,
    /// Worker counts; `[1]` where a peer has no workers to choose.
    pub workers: &'static [usize],
    /// Samples of one process. The quick form takes a third.
    pub samples: usize,
}

/// The sizes of a case.
#[derive(Debug)]
pub struct Axis {
    /// What is counted.
    pub name: &'static str,
    /// The size that aims are stated for.
    pub usual: usize,
    /// The sizes of the curve that shows how cost grows, least first; empty for none.
    pub growth: &'static [usize],
}

/// One figure of a case.
#[derive(Debug)]
pub struct Metric {
    /// As in the answer.
    pub name: &'static str,
    /// `ns per task`, `B`, `M/s`.
    pub unit: &'static str,
    /// Which way is good.
    pub better: Better,
    /// What raddle is to reach.
    pub aims: &'static [Aim],
}

/// Whether less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Times, bytes.
    Less,
    /// Rates.
    More,
}

/// What raddle is to reach in a metric, at the usual size.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// The form of raddle that it is set for: its name in the report.
    pub peer: &'static str,
    /// At so many workers; `None` for every count.
    pub workers: Option<usize>,
    /// The bound.
    pub goal: Goal,
}

/// A bound, from above where less is better, from below where more is.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// So many of the metric's units. Absolute figures move with machine and hour.
    Figure(f64),
    /// So many times the figure of this peer in the same run.
    Times(f64, &'static str),
    /// So many times the figure of this peer in the same run, and so much on top.
    TimesPlus(f64, &'static str, f64),
    /// The figures of these two peers in the same run together, and so much on top.
    SumPlus(&'static str, &'static str, f64),
}

impl Metric {
    /// A metric of which less is better, without an aim.
    pub const fn less(name: &'static str, unit: &'static str, aims: &'static [Aim]) -> Metric {
        Metric { name, unit, better: Better::Less, aims }
    }

    /// A metric of which more is better.
    pub const fn more(name: &'static str, unit: &'static str, aims: &'static [Aim]) -> Metric {
        Metric { name, unit, better: Better::More, aims }
    }
}

impl Aim {
    /// A bound for this form of raddle, at two workers.
    pub const fn at_two(peer: &'static str, goal: Goal) -> Aim {
        Aim { peer, workers: Some(2), goal }
    }

    /// A bound for this form of raddle, however many workers.
    pub const fn always(peer: &'static str, goal: Goal) -> Aim {
        Aim { peer, workers: None, goal }
    }
}

impl Better {
    /// The best of figures.
    pub fn best(self, figures: impl IntoIterator<Item = f64>) -> Option<f64> {
        figures.into_iter().reduce(|best, figure| match self {
            Better::Less => best.min(figure),
            Better::More => best.max(figure),
        })
    }

    /// Whether `figure` is at least as good as `bound`.
    pub fn reaches(self, figure: f64, bound: f64) -> bool {
        match self {
            Better::Less => figure <= bound,
            Better::More => figure >= bound,
        }
    }

    /// How many times worse `figure` is than `other`; below 1, better.
    pub fn times_worse(self, figure: f64, other: f64) -> f64 {
        match self {
            Better::Less => figure / other,
            Better::More => other / figure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_above_one_in_both_directions() {
        assert_eq!(Better::Less.times_worse(20.0, 10.0), 2.0);
        assert_eq!(Better::More.times_worse(10.0, 20.0), 2.0);
        assert_eq!(Better::Less.best([3.0, 1.0, 2.0]), Some(1.0));
        assert_eq!(Better::More.best([3.0, 1.0, 2.0]), Some(3.0));
        assert!(Better::Less.reaches(1.0, 1.0) && !Better::Less.reaches(1.1, 1.0));
        assert!(Better::More.reaches(1.0, 1.0) && !Better::More.reaches(0.9, 1.0));
    }
}
