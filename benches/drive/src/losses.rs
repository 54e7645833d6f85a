//! Where raddle loses, and which aims it misses.
//!
//! Why is written by whoever has found out, in `losses.txt`: lines `case metric: reason`.

use crate::figures::{Figure, Figures, Place, short};
use crate::peers::Kind;
use crate::{Result, plan};
use bench_harness::{Aim, Goal};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const REASONS: &str = "losses.txt";

/// How much worse counts as worse. Unit: ratio of medians. Two runs of one program differ by as much.
const NOISE: f64 = 1.05;

/// Why it is so, by case and metric.
pub struct Reasons(BTreeMap<String, String>);

impl Reasons {
    /// Those that are kept.
    ///
    /// # Errors
    /// The file is wrong.
    pub fn read(root: &Path) -> Result<Reasons> {
        Reasons::parse(&std::fs::read_to_string(root.join(REASONS)).unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Reasons> {
        let mut reasons = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, reason) = line.split_once(": ").ok_or(format!("{REASONS}: `{line}` has no `: `"))?;
            let is_known = plan::cases().any(|case| {
                case.metrics.iter().any(|metric| format!("{} {}", case.name, metric.name) == name)
            });
            if !is_known {
                return Err(format!("{REASONS}: `{name}` is no case and metric"));
            }
            reasons.insert(name.to_owned(), reason.to_owned());
        }
        Ok(Reasons(reasons))
    }

    fn of(&self, place: &Place) -> &str {
        let name = format!("{} {}", place.case().name, place.metric().name);
        self.0.get(&name).map_or("not explained yet", String::as_str)
    }
}

/// The section that says where a rival is better.
pub fn section(reasons: &Reasons, figures: &Figures<'_>) -> String {
    let mut losses = losses(figures);
    losses.sort_by(|one, other| other.times.total_cmp(&one.times));
    let mut text =
        String::from("\n## Where raddle loses\n\nIts best form against the best rival, by medians.\n\n");
    if losses.is_empty() {
        text.push_str("Nowhere in this run.\n");
        return text;
    }
    text.push_str("| where | workers | raddle | rival | times worse | why |\n|---|---|---|---|---|---|\n");
    for Loss { place, ours, rival, times } in &losses {
        let name = format!("{} {}", place.case().name, place.metric().name);
        let cells = [
            format!("{name} ({})", place.metric().unit),
            place.workers.to_string(),
            format!("{} ({})", short(ours.1), ours.0),
            format!("{} ({})", short(rival.1), rival.0),
            short(*times),
            reasons.of(place).to_owned(),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

struct Loss {
    place: Place,
    ours: (&'static str, f64),
    rival: (&'static str, f64),
    times: f64,
}

fn losses(figures: &Figures<'_>) -> Vec<Loss> {
    let mut losses = Vec::new();
    for place in figures.all.keys() {
        let (Some((own, ours)), Some((name, rival))) =
            (figures.leader(place, Kind::Ours), figures.leader(place, Kind::Rival))
        else {
            continue;
        };
        let times = place.metric().better.times_worse(ours.median, rival.median);
        if times > NOISE {
            let place = place.clone();
            losses.push(Loss {
                place,
                ours: (own.name, ours.median),
                rival: (name.name, rival.median),
                times,
            });
        }
    }
    losses
}

/// The section with all aims.
pub fn aims(reasons: &Reasons, figures: &Figures<'_>) -> String {
    let mut text = String::from(
        "\n## Aims\n\nAn aim is reached when best and median reach it, nearly when one of them does. One that is a figure \
         instead of a ratio holds for the machine that it was set on.\n\n\
         | aim | workers | bound | best | median | |\n|---|---|---|---|---|---|\n",
    );
    for place in figures.all.keys().filter(|place| place.size == place.case().axis.usual) {
        for aim in
            place.metric().aims.iter().filter(|aim| aim.workers.is_none_or(|count| count == place.workers))
        {
            text.push_str(&aim_row(reasons, figures, place, aim));
        }
    }
    text
}

fn aim_row(reasons: &Reasons, figures: &Figures<'_>, place: &Place, aim: &Aim) -> String {
    let name =
        format!("{}: {} {} ({})", aim.peer, place.case().name, place.metric().name, place.metric().unit);
    let (says, bounds) = match aim.goal {
        Goal::Figure(figure) => (short(figure), Some((figure, figure))),
        Goal::Times(times, peer) => {
            let bound = |figure: &Figure| (times * figure.best, times * figure.median);
            (format!("{} x {peer}", short(times)), figures.of(place, peer).map(bound))
        }
        Goal::TimesPlus(times, peer, plus) => {
            let bound = |figure: &Figure| (times * figure.best + plus, times * figure.median + plus);
            (format!("{} x {peer} + {plus}", short(times)), figures.of(place, peer).map(bound))
        }
        Goal::SumPlus(one, other, plus) => {
            let both = figures.of(place, one).zip(figures.of(place, other));
            let bound = |(one, other): (&Figure, &Figure)| {
                (one.best + other.best + plus, one.median + other.median + plus)
            };
            (format!("{one} + {other} + {plus}"), both.map(bound))
        }
    };
    let (verdict, bound, best, median) = match (figures.of(place, aim.peer), bounds) {
        (Some(own), Some((best, median))) => {
            let better = place.metric().better;
            let verdict = match (better.reaches(own.best, best), better.reaches(own.median, median)) {
                (true, true) => "reached".to_owned(),
                (true, false) | (false, true) => "nearly".to_owned(),
                (false, false) => {
                    let times = short(better.times_worse(own.median, median));
                    format!("**missed: {times} times**: {}", reasons.of(place))
                }
            };
            (
                verdict,
                format!("{says} = {} / {}", short(best), short(median)),
                short(own.best),
                short(own.median),
            )
        }
        (own, _) => {
            let figure = |figure: Option<f64>| figure.map_or(String::new(), short);
            let (best, median) = (figure(own.map(|own| own.best)), figure(own.map(|own| own.median)));
            ("not measured".to_owned(), says, best, median)
        }
    };
    format!("| {name} | {} | {bound} | {best} | {median} | {verdict} |\n", place.workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_of_cases_that_there_are() {
        let text = "# why\n\ngraphs/chain time: it allocates\n";
        assert_eq!(Reasons::parse(text).unwrap().0["graphs/chain time"], "it allocates");
        for text in ["graphs/chain time", "graphs/chian time: x", "graphs/chain tmie: x"] {
            assert!(Reasons::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_reasons_that_are_kept_can_be_read() {
        assert!(!Reasons::read(&crate::root()).unwrap().0.is_empty());
    }
}
