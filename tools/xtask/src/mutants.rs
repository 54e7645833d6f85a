//! `cargo xtask mutants`: every model is seen failing under the mutants that it declares.
//!
//! A mutant counts as killed when the model's process fails and says the declared text. One that survives, that
//! fails for another reason or that hangs is a fault: the product is stronger than it needs, or the model is weaker.

use crate::catalogue::{Catalogue, Model};
use crate::invariants::{Claimed, Declared};
use crate::options::Options;
use crate::process::{self, Ended, Fate};
use crate::tree::Tree;
use crate::{Result, table};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What one model may take to fail. Unit: seconds of processor time. A mutant fails early or survives. Guess.
const LIMIT_S: u64 = 60;

const TABLE: &str = "docs/invariants.md";

/// The page that says which model stands for which race.
const PAGE: &str = "docs/verification.md";
const RACES: &str = "\n## Races that others shipped\n";

/// Checks the declarations, runs the pairs, writes or compares the table.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let start = Instant::now();
    let catalogue = Catalogue::collect(root, options)?;
    let mut declared = Declared::read(&Tree::read(root)?);
    for model in &catalogue.models {
        for kill in &model.about.kills {
            let claim = Claimed { model: model.about.name.clone(), kill: kill.clone(), is_refuted: false };
            declared.kills.entry(kill.mutant.clone()).or_default().push(claim);
        }
    }
    let mut faults = catalogue.faults.clone();
    faults.extend(declared.faults());
    let names: Vec<&str> = catalogue.models.iter().map(|model| model.about.name.as_str()).collect();
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let (_, page) = page.split_once(RACES).ok_or_else(|| format!("{PAGE} has no section {RACES:?}"))?;
    let page = page.split_once("\n## House rules").map_or(page, |(races, _)| races);
    let strangers = declared.strangers(page, &names);
    faults.extend(strangers.iter().map(|name| format!("{PAGE} names {name}: no model, and no test")));
    let pairs = if options.has("no-run") { Vec::new() } else { pairs(&catalogue, &declared, options) };
    options.expect_any(pairs.len() + usize::from(options.has("no-run")), "mutant")?;
    let survivors = run_pairs(&pairs, options)?;
    let count = pairs.len();
    for survivor in survivors {
        declared.refute(&survivor.mutant, &survivor.model);
        faults.push(survivor.fault);
    }
    if options.is_unfiltered() && !options.has("no-run") {
        faults.extend(settle_table(root, &declared.render(), options.has("check"))?);
    }
    println!(
        "\n{} invariants, {} mutants, {} pairs run, {} faults, {:.1} s",
        declared.heads.values().map(|head| head.invariants.len()).sum::<usize>(),
        declared.mutants.len(),
        count,
        faults.len(),
        start.elapsed().as_secs_f64()
    );
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// A mutant and a model that shall kill it.
struct Pair<'a> {
    model: &'a Model,
    mutant: &'a str,
    text: &'a str,
}

fn pairs<'a>(catalogue: &'a Catalogue, declared: &'a Declared, options: &Options) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    for (mutant, claims) in declared.kills.iter().filter(|(mutant, _)| options.admits(&[mutant])) {
        let count = if options.has("all") { claims.len() } else { 1 };
        for claim in claims.iter().take(count).filter(|_| declared.mutants.contains_key(mutant)) {
            let model = catalogue.models.iter().find(|model| model.about.name == claim.model);
            pairs.extend(model.map(|model| Pair { model, mutant, text: &claim.kill.text }));
        }
    }
    pairs
}

/// A declaration that turned out not to hold.
struct Survivor {
    mutant: String,
    model: String,
    fault: String,
}

/// Runs the pairs, prints a row for each, and returns those in which the mutant was not killed.
fn run_pairs(pairs: &[Pair<'_>], options: &Options) -> Result<Vec<Survivor>> {
    let limit = Duration::from_secs(options.number("limit", LIMIT_S));
    let widest = |of: fn(&Pair<'_>) -> usize| pairs.iter().map(of).max().unwrap_or(0);
    let widths = [widest(|pair| pair.mutant.len()), widest(|pair| pair.model.about.name.len()), 8, 7, 0];
    if !pairs.is_empty() {
        print!(
            "{}",
            table::line(&["mutant", "model", "fate", "seconds", "says"].map(str::to_owned), &widths)
        );
    }
    let faults = process::parallel(options.number("jobs", process::cores()) as usize, pairs, |pair| {
        let ended = pair.model.run(&[("RADDLE_MUTANT", pair.mutant)], limit)?;
        let fate = judge(&ended, pair.text);
        let seconds = format!("{:.2}", ended.took.as_secs_f64());
        let cells = [pair.mutant, &pair.model.about.name, fate.word(), &seconds, pair.text];
        print!("{}", table::line(&cells.map(str::to_owned), &widths));
        Ok(fate.fault().map(|fault| {
            let tail = match fate {
                Verdict::Survived => String::new(),
                _ => format!("; last output:\n{}", ended.tail(15)),
            };
            let model = pair.model.about.name.clone();
            let fault = format!("{model} under {}: {fault} {:?}{tail}", pair.mutant, pair.text);
            Survivor { mutant: pair.mutant.to_owned(), model, fault }
        }))
    });
    let faults: Result<Vec<Option<Survivor>>> = faults.into_iter().collect();
    Ok(faults?.into_iter().flatten().collect())
}

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Killed,
    Survived,
    Otherwise,
    Hung,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Killed => "killed",
            Verdict::Survived => "SURVIVED",
            Verdict::Otherwise => "OTHER",
            Verdict::Hung => "HUNG",
        }
    }

    fn fault(self) -> Option<&'static str> {
        match self {
            Verdict::Killed => None,
            Verdict::Survived => Some("the model passes; it should say"),
            Verdict::Otherwise => Some("the model fails without saying"),
            Verdict::Hung => Some("the model does not end; it should say"),
        }
    }
}

fn judge(ended: &Ended, text: &str) -> Verdict {
    match ended.fate {
        Fate::Exited(true) => Verdict::Survived,
        Fate::Exited(false) if ended.output.contains(text) => Verdict::Killed,
        Fate::Exited(false) => Verdict::Otherwise,
        Fate::OutOfTime | Fate::OutOfBounds => Verdict::Hung,
    }
}

/// Writes the table, or says that it is stale.
fn settle_table(root: &Path, text: &str, is_check: bool) -> Result<Option<String>> {
    let path = root.join(TABLE);
    if is_check {
        let is_fresh = fs::read_to_string(&path).is_ok_and(|old| old == text);
        return Ok((!is_fresh).then(|| format!("{TABLE} is stale: run `cargo xtask mutants`")));
    }
    fs::write(&path, text).map_err(|error| format!("{TABLE}: {error}"))?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_that_says_the_text_kills() {
        for (fate, output, verdict) in [
            (Fate::Exited(false), "assertion failed: resumed twice", Verdict::Killed),
            (Fate::Exited(false), "Causality violation", Verdict::Otherwise),
            (Fate::Exited(true), "resumed twice", Verdict::Survived),
            (Fate::OutOfTime, "resumed twice", Verdict::Hung),
            (Fate::OutOfBounds, "resumed twice", Verdict::Hung),
        ] {
            let ended = Ended { fate, output: output.to_owned(), took: Duration::ZERO };
            assert_eq!(judge(&ended, "resumed twice"), verdict);
            assert_eq!(verdict.fault().is_none(), verdict == Verdict::Killed);
        }
    }

    #[test]
    fn a_stale_table_is_noticed() {
        let root = std::env::temp_dir().join(format!("xtask-table-{}", std::process::id()));
        fs::create_dir_all(root.join("docs")).unwrap();
        assert!(settle_table(&root, "new", true).unwrap().unwrap().contains("stale"));
        assert_eq!(settle_table(&root, "new", false).unwrap(), None);
        assert_eq!(settle_table(&root, "new", true).unwrap(), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
