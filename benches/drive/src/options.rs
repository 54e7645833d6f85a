//! The words after a command.

use crate::{Result, peers, plan};
use bench_harness::Case;

/// What was asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// Keep the results beside the sources.
    pub keep: bool,
    /// Even if the machine has other things to do.
    pub is_busy: bool,
    /// Measure peers that take minutes to build.
    pub with_heavy: bool,
    /// How many processes of each.
    pub processes: Option<usize>,
    cases: Vec<String>,
    peers: Vec<String>,
}

impl Options {
    /// Parses the words.
    ///
    /// # Errors
    /// A text that names the word that is wrong, or that matches nothing.
    pub fn parse(words: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--keep" => options.keep = true,
                "--busy" => options.is_busy = true,
                "--with-heavy" => options.with_heavy = true,
                "--processes" => {
                    let number = words.next().and_then(|word| word.parse().ok()).filter(|&number| number > 0);
                    options.processes = Some(number.ok_or("--processes wants a number from 1")?);
                }
                flag if flag.starts_with("--") => return Err(format!("no option {flag}")),
                filter if plan::cases().any(|case| case.name.contains(filter)) => {
                    options.cases.push(filter.to_owned());
                }
                filter if peers::ALL.iter().any(|peer| peer.name.contains(filter)) => {
                    options.peers.push(filter.to_owned());
                }
                filter => {
                    return Err(format!("`{filter}` is part of no case's name and of no peer's: see `list`"));
                }
            }
        }
        Ok(options)
    }

    /// Whether a case is to be measured.
    pub fn admits_case(&self, case: &Case) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|filter| case.name.contains(filter.as_str()))
    }

    /// Whether a peer is. A filter that is the whole name of a peer means that one alone.
    pub fn admits_peer(&self, name: &str) -> bool {
        let matches = |filter: &String| {
            let is_whole = peers::ALL.iter().any(|peer| peer.name == *filter);
            if is_whole { name == *filter } else { name.contains(filter.as_str()) }
        };
        self.peers.is_empty() || self.peers.iter().any(matches)
    }

    /// Whether everything is to be measured.
    pub fn is_whole(&self) -> bool {
        self.cases.is_empty() && self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn filters_are_of_cases_or_of_peers() {
        let options = parse("graphs/ tokio --processes 2 --keep").unwrap();
        let admitted: Vec<_> = plan::cases().filter(|case| options.admits_case(case)).collect();
        assert!(!admitted.is_empty() && admitted.iter().all(|case| case.name.starts_with("graphs/")));
        assert!(options.admits_peer("tokio") && !options.admits_peer("rayon"));
        assert_eq!((options.processes, options.keep, options.is_whole()), (Some(2), true, false));
        assert!(parse("").unwrap().is_whole());
        assert!(!parse("raddle").unwrap().admits_peer("raddle, caller lends"));
    }

    #[test]
    fn what_matches_nothing_is_an_error() {
        for text in ["chian", "--fast", "--processes", "--processes 0"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
