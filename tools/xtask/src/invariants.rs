//! Invariants of the protocols, as the heads of their files state them, and what stands behind each.
//!
//! In a head, `# Invariants` has items `- I1: … [mutants: a, b]`, `- I2: … (by construction: reason)`, or, where nothing
//! races, `- I3: … [tests: f, g]` with functions of the package's tests; `# Equivalent mutants` has items `- name: reason`. A head that includes a sibling (`#![doc = include_str!("x.md")]`)
//! is continued there.

use crate::catalogue::Kill;
use crate::tree::{File, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// What the head of one file says.
#[derive(Debug, Default)]
pub struct Head {
    /// Its invariants, in order.
    pub invariants: Vec<Invariant>,
    /// Mutants that change nothing that can be observed, and why.
    pub equivalent: BTreeMap<String, String>,
}

/// One invariant.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Invariant {
    /// `I1`.
    pub label: String,
    /// The sentence.
    pub text: String,
    /// The mutants that break it.
    pub mutants: Vec<String>,
    /// The tests that would see it broken, by name.
    pub tests: Vec<String>,
    /// Why no mutant can break it.
    pub by_construction: Option<String>,
}

/// Where a mutant is in the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: String,
    /// From 1.
    pub line: usize,
}

/// A model's declaration that it kills a mutant.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The model.
    pub model: String,
    /// What it kills, and how that shows.
    pub kill: Kill,
    /// A run showed the contrary.
    pub is_refuted: bool,
}

/// Everything that is declared, before anything is run.
#[derive(Debug, Default)]
pub struct Declared {
    /// Heads by file; only of crates that take part in protocols.
    pub heads: BTreeMap<String, Head>,
    /// Mutants by name.
    pub mutants: BTreeMap<String, Vec<Place>>,
    /// Kills by mutant, in the order of the models.
    pub kills: BTreeMap<String, Vec<Claimed>>,
    /// The functions in the tests of each package.
    tests: BTreeSet<(String, String)>,
}

impl Declared {
    /// Reads heads and mutants from the sources.
    pub fn read(tree: &Tree) -> Declared {
        let mut declared = Declared::default();
        for (file, source) in tree.rust() {
            let functions = source.functions().into_iter();
            let tested = functions.filter(|function| file.is_test() || source.in_test[function.first]);
            declared.tests.extend(tested.map(|function| (file.package(), function.name)));
        }
        for (file, source) in tree.rust().filter(|(file, _)| file.is_product()) {
            for (index, name) in names(&source.plain.join("\n")) {
                let place = Place { path: file.path.clone(), line: index + 1 };
                declared.mutants.entry(name).or_default().push(place);
            }
            let head = Head::parse(&head_lines(tree, file));
            let has_mutants = !names(&source.plain.join("\n")).is_empty();
            if takes_part(tree, &file.package(), has_mutants)
                && !(head.invariants.is_empty() && head.equivalent.is_empty())
            {
                declared.heads.insert(file.path.clone(), head);
            }
        }
        declared
    }

    /// Notes that a run of `model` did not kill `mutant`.
    pub fn refute(&mut self, mutant: &str, model: &str) {
        let claims = self.kills.get_mut(mutant).into_iter().flatten();
        claims.filter(|claim| claim.model == model).for_each(|claim| claim.is_refuted = true);
    }

    /// Why a mutant is said to change nothing.
    pub fn equivalent(&self, mutant: &str) -> Option<&String> {
        self.heads.values().find_map(|head| head.equivalent.get(mutant))
    }

    /// What is wrong with the declarations.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, places) in &self.mutants {
            let place = format!("{}:{}", places[0].path, places[0].line);
            match (self.kills.contains_key(name), self.equivalent(name)) {
                (false, None) => {
                    faults.push(format!("{place}: no model kills {name}, and no head calls it equivalent"))
                }
                (true, Some(_)) => {
                    faults.push(format!("{place}: {name} is called equivalent, yet a model kills it"))
                }
                _ => {}
            }
        }
        for (name, claims) in self.kills.iter().filter(|(name, _)| !self.mutants.contains_key(*name)) {
            faults.push(format!("the model {} kills {name}, which is in no source", claims[0].model));
        }
        for (path, head) in &self.heads {
            let package: String = path.split('/').take(2).collect::<Vec<_>>().join("/");
            let has_test = |name: &str| self.tests.contains(&(package.clone(), name.to_owned()));
            faults.extend(
                head.faults(&self.mutants, has_test).into_iter().map(|fault| format!("{path}: {fault}")),
            );
        }
        faults
    }

    /// Names in a page, in backticks and of three words or more, that are no model's and no test's.
    pub fn strangers(&self, page: &str, models: &[&str]) -> Vec<String> {
        let is_known = |name: &str| models.contains(&name) || self.tests.iter().any(|(_, test)| test == name);
        let is_name = |word: &str| {
            let letters = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            letters && word.matches('_').count() > 1
        };
        let words = page.split('`').skip(1).step_by(2);
        words.filter(|word| is_name(word) && !is_known(word)).map(str::to_owned).collect()
    }

    /// `docs/invariants.md`.
    pub fn render(&self) -> String {
        let mut text = String::from(
            "# Invariants and what stands behind them\n\n\
             Written by `cargo xtask mutants`, which also runs what it says: every mutant listed here makes the first of\n\
             its models fail with the text in quotation marks. How to read it: `verification.md`.\n",
        );
        for (path, head) in self.heads.iter().filter(|(_, head)| !head.invariants.is_empty()) {
            text.push_str(&format!("\n## {path}\n\n| invariant | says | mutant | killed by, or why there is none |\n|---|---|---|---|\n"));
            for invariant in &head.invariants {
                text.push_str(&self.render_invariant(invariant));
            }
        }
        text.push_str(
            "\n## Mutants\n\n| mutant | place | killed by, or equivalent because |\n|---|---|---|\n",
        );
        for (name, places) in &self.mutants {
            // Without lines: a line that moves must not make this file stale.
            let mut paths: Vec<&str> = places.iter().map(|place| place.path.as_str()).collect();
            paths.dedup();
            text.push_str(&format!("| {name} | {} | {} |\n", paths.join(", "), self.fate(name)));
        }
        text
    }

    fn render_invariant(&self, invariant: &Invariant) -> String {
        let Invariant { label, text, mutants, tests, by_construction } = invariant;
        let text = text.replace('|', "\\|");
        if mutants.is_empty() && !tests.is_empty() {
            return format!("| {label} | {text} | | tests: {} |\n", tests.join(", "));
        }
        if let Some(reason) = by_construction {
            return format!("| {label} | {text} | | by construction: {} |\n", reason.replace('|', "\\|"));
        }
        if mutants.is_empty() {
            return format!("| {label} | {text} | | NOTHING |\n");
        }
        let mut rows = String::new();
        for (index, mutant) in mutants.iter().enumerate() {
            let (label, text) = if index == 0 { (label.as_str(), text.as_str()) } else { ("", "") };
            rows.push_str(&format!("| {label} | {text} | {mutant} | {} |\n", self.fate(mutant)));
        }
        rows
    }

    fn fate(&self, mutant: &str) -> String {
        let claims = self.kills.get(mutant).map(Vec::as_slice).unwrap_or_default();
        let claims: Vec<String> = claims
            .iter()
            .map(|Claimed { model, kill, is_refuted }| {
                let word = if *is_refuted { "NOT KILLED by " } else { "" };
                format!("{word}{model} (\"{}\")", kill.text.replace('|', "\\|"))
            })
            .collect();
        match self.equivalent(mutant) {
            Some(reason) => format!("equivalent: {}", reason.replace('|', "\\|")),
            None if claims.is_empty() => "NOTHING".to_owned(),
            None => claims.join(", "),
        }
    }
}

impl Head {
    fn parse(lines: &[String]) -> Head {
        let mut head = Head::default();
        for (section, item) in items(lines) {
            match (section.as_str(), item.split_once(": ")) {
                ("Invariants", Some((label, text))) if is_label(label) => {
                    head.invariants.push(Invariant::parse(label, text));
                }
                ("Equivalent mutants", Some((name, reason))) => {
                    head.equivalent.insert(name.trim_matches('`').to_owned(), reason.to_owned());
                }
                _ => {}
            }
        }
        head
    }

    fn faults(&self, mutants: &BTreeMap<String, Vec<Place>>, has_test: impl Fn(&str) -> bool) -> Vec<String> {
        let mut faults = Vec::new();
        for Invariant { label, mutants, tests, by_construction, .. } in &self.invariants {
            if mutants.is_empty() && tests.is_empty() && by_construction.is_none() {
                faults.push(format!(
                    "{label} has neither [mutants: …] nor [tests: …] nor (by construction: …)"
                ));
            }
            let gone = tests.iter().filter(|name| !has_test(name));
            faults.extend(gone.map(|name| format!("{label} names the test {name}, which is not there")));
        }
        let named =
            self.invariants.iter().flat_map(|invariant| &invariant.mutants).chain(self.equivalent.keys());
        for name in named.filter(|name| !mutants.contains_key(*name)) {
            faults.push(format!("the head names the mutant {name}, which is in no source"));
        }
        faults
    }
}

impl Invariant {
    fn parse(label: &str, text: &str) -> Invariant {
        let mut invariant = Invariant { label: label.to_owned(), ..Invariant::default() };
        let mut text = text.to_owned();
        for (opening, names) in [("[mutants:", &mut invariant.mutants), ("[tests:", &mut invariant.tests)] {
            while let Some((before, list, after)) = cut(&text, opening, '[', ']') {
                names.extend(list.split(',').map(|name| name.trim().trim_matches('`').to_owned()));
                text = format!("{}{after}", before.trim_end());
            }
        }
        if let Some((before, reason, after)) = cut(&text, "(by construction:", '(', ')') {
            invariant.by_construction = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
            text = format!("{}{after}", before.trim_end());
        }
        invariant.text = text.trim().to_owned();
        invariant
    }
}

/// `text` around and inside the bracket that starts with `opening`.
fn cut(text: &str, opening: &str, open: char, close: char) -> Option<(String, String, String)> {
    let start = text.find(opening)?;
    let mut depth = 0;
    for (at, c) in text[start..].char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            let (inside, after) =
                (&text[start + opening.len()..start + at], &text[start + at + close.len_utf8()..]);
            return Some((text[..start].to_owned(), inside.to_owned(), after.to_owned()));
        }
    }
    None
}

/// Whether a word is a capital letter and a number: `I1`, `S12`.
pub fn is_label(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && word.len() > 1
        && chars.all(|c| c.is_ascii_digit())
}

/// The items `- …` of a head, each on one line, with the section that they stand in.
fn items(lines: &[String]) -> Vec<(String, String)> {
    let mut items: Vec<(String, String)> = Vec::new();
    let (mut section, mut is_open) = (String::new(), false);
    for line in lines {
        if let Some(title) = line.trim_start().strip_prefix('#') {
            section = title.trim_start_matches('#').trim().to_owned();
            is_open = false;
        } else if let Some(item) = line.strip_prefix("- ") {
            items.push((section.clone(), item.trim().to_owned()));
            is_open = true;
        } else if line.trim().is_empty() {
            is_open = false;
        } else if let Some((_, item)) = items.last_mut().filter(|_| is_open) {
            item.push(' ');
            item.push_str(line.trim());
        }
    }
    items
}

/// The labels of all invariants that a file's head states, of any letter and section.
pub fn labels(tree: &Tree, file: &File) -> Vec<String> {
    let items = items(&head_lines(tree, file));
    items
        .iter()
        .filter_map(|(_, item)| item.split_once(": "))
        .map(|(label, _)| label.to_owned())
        .filter(|label| is_label(label))
        .collect()
}

/// The lines of a file's module text, without `//!`, and those of the sibling that it includes.
fn head_lines(tree: &Tree, file: &File) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in file.text.lines() {
        if let Some(text) = line.trim_start().strip_prefix("//!") {
            lines.push(text.strip_prefix(' ').unwrap_or(text).to_owned());
        } else if let Some((_, rest)) = line.split_once("#![doc = include_str!(\"") {
            let name = rest.split('"').next().unwrap_or_default();
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let sibling = tree.get(&format!("{folder}/{name}"));
            lines.extend(sibling.iter().flat_map(|file| file.text.lines()).map(str::to_owned));
        }
    }
    lines
}

/// Packages with models most of whose invariants are nevertheless those of one thread: there, files with mutants take part.
const MOSTLY_SEQUENTIAL: [&str; 1] = ["crates/vm"];

/// Protocols live where models are; invariants elsewhere are those of one thread, and tests look after them.
fn takes_part(tree: &Tree, package: &str, has_mutants: bool) -> bool {
    let models = format!("{package}/tests/loom_");
    let has_models = tree.files.iter().any(|file| file.path.starts_with(&models));
    has_models && (has_mutants || !MOSTLY_SEQUENTIAL.contains(&package))
}

/// The mutants in code, with the line (from 0) of each.
fn names(code: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for head in ["ord!(", "fence!(", "mutant!("] {
        for (at, _) in code.match_indices(head) {
            let is_longer = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let Some(rest) = code[at + head.len()..].trim_start().strip_prefix('"').filter(|_| !is_longer)
            else {
                continue;
            };
            let name = rest.split('"').next().unwrap_or_default();
            names.push((code[..at].matches('\n').count(), name.to_owned()));
        }
    }
    names.sort();
    names
}

#[cfg(test)]
mod tests;
