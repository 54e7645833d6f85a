//! The words after a command: flags, options with a number, and one filter.

use crate::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The parsed words.
#[derive(Debug, Default)]
pub struct Options {
    flags: BTreeSet<String>,
    numbers: BTreeMap<String, u64>,
    filter: Option<String>,
}

impl Options {
    /// Parses `words`; only the named flags and options exist.
    pub fn parse(words: &[String], flags: &[&str], numbers: &[&str]) -> Result<Options> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some(flag) if flags.contains(&flag) => {
                    options.flags.insert(flag.to_owned());
                }
                Some(name) if numbers.contains(&name) => {
                    let number = words.next().and_then(|text| text.parse().ok());
                    options.numbers.insert(name.to_owned(), number.ok_or(format!("{word} wants a number"))?);
                }
                Some(_) => return Err(format!("no option {word}")),
                None if options.filter.is_some() => return Err(format!("a second filter: {word}")),
                None => options.filter = Some(word.clone()),
            }
        }
        Ok(options)
    }

    /// Whether a flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// The number of an option, or `default`.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.numbers.get(name).copied().unwrap_or(default)
    }

    /// The one word that is no option.
    pub fn word(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// Whether everything was asked for.
    pub fn is_unfiltered(&self) -> bool {
        self.filter.is_none()
    }

    /// An error if the filter lets none of the `found` things through: a word that is mistyped is no good run.
    pub fn expect_any(&self, found: usize, things: &str) -> Result<()> {
        match &self.filter {
            Some(filter) if found == 0 => Err(format!("no {things} has `{filter}` in its name")),
            _ => Ok(()),
        }
    }

    /// Whether the filter lets one of these names through.
    pub fn admits(&self, names: &[&str]) -> bool {
        self.filter.as_ref().is_none_or(|filter| names.iter().any(|name| name.contains(filter.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words, &["deep"], &["limit"])
    }

    #[test]
    fn words_are_sorted_into_flags_numbers_and_a_filter() {
        let options = parse("--deep slot --limit 7").unwrap();
        assert!(options.has("deep") && !options.is_unfiltered());
        assert_eq!((options.number("limit", 60), options.number("jobs", 2)), (7, 2));
        assert!(options.admits(&["loom_slot"]) && !options.admits(&["event"]));
        assert!(
            options.expect_any(1, "model").is_ok() && parse("--deep").unwrap().expect_any(0, "model").is_ok()
        );
        assert_eq!(options.expect_any(0, "model"), Err("no model has `slot` in its name".to_owned()));
    }

    #[test]
    fn unknown_words_are_errors() {
        for text in ["--dep", "--limit", "--limit x", "a b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
