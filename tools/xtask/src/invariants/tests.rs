//! Heads that are right, and each fault that a head or a declaration can have.

use super::*;

const MODELS: (&str, &str) = ("crates/wait/tests/loom_a.rs", "fn holds() {}\n");

fn declared(source: &str, kills: &[(&str, &str)]) -> Declared {
    let mut declared = Declared::read(&Tree::of(&[MODELS, ("crates/wait/src/a.rs", source)]));
    for (model, mutant) in kills {
        let kill = Kill { mutant: (*mutant).to_owned(), text: "lost".to_owned() };
        let claim = Claimed { model: (*model).to_owned(), kill, is_refuted: false };
        declared.kills.entry((*mutant).to_owned()).or_default().push(claim);
    }
    declared
}

fn check(source: &str, kills: &[(&str, &str)], expected: &[&str]) {
    let faults = declared(source, kills).faults();
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "{fault} should say {expected}");
    }
}

const GOOD: &str = "\
//! A thing.
//!
//! # Invariants
//! - I1: what is pushed | is taken,
//!   once. [mutants: a.push,
//!   a.take]
//! - I2: nothing else (by construction: there is (only) one field).
//!
//! # Equivalent mutants
//! - a.peek: the value is only
//!   a hint.
fn f() {
    x.store(1, ord!(\"a.push\", Release));
    fence!(
        \"a.take\"
    );
    x.load(ord!(\"a.peek\", Acquire)); // ord!(\"a.comment\", Acquire)
    word!(\"no mutant\");
}
";

#[test]
fn a_good_head_has_no_faults() {
    check(GOOD, &[("m", "a.push"), ("m", "a.take")], &[]);
    let declared = declared(GOOD, &[]);
    let head = &declared.heads["crates/wait/src/a.rs"];
    assert_eq!(head.invariants[0].text, "what is pushed | is taken, once.");
    assert_eq!(head.invariants[0].mutants, ["a.push", "a.take"]);
    assert_eq!(head.invariants[1].by_construction.as_deref(), Some("there is (only) one field"));
    assert_eq!(head.equivalent["a.peek"], "the value is only a hint.");
    assert_eq!(declared.mutants["a.take"], [Place { path: "crates/wait/src/a.rs".to_owned(), line: 14 }]);
    assert_eq!(declared.mutants.len(), 3);
}

#[test]
fn a_mutant_needs_a_model_or_a_reason_and_not_both() {
    check(GOOD, &[("m", "a.push")], &["no model kills a.take"]);
    check(GOOD, &[("m", "a.push"), ("m", "a.take"), ("m", "a.peek")], &["a.peek is called equivalent, yet"]);
}

#[test]
fn names_must_exist() {
    check(GOOD, &[("m", "a.push"), ("m", "a.take"), ("m", "a.gone")], &["the model m kills a.gone"]);
    check("//! # Invariants\n//! - I1: x. [mutants: b.gone]\n", &[], &["names the mutant b.gone"]);
    check("//! # Equivalent mutants\n//! - b.gone: x.\n", &[], &["names the mutant b.gone"]);
}

#[test]
fn an_invariant_needs_a_mutant_or_a_reason() {
    check("//! # Invariants\n//! - I1: x.\n", &[], &["I1 has neither"]);
    check("//! # Invariants\n//! - I1: x (by construction: ).\n", &[], &["I1 has neither"]);
    check("//! # Invariants\n//! - I1: x. [tests: holds]\n", &[], &[]);
    check("//! # Invariants\n//! - I1: x. [tests: gone]\n", &[], &["names the test gone"]);
    // A function of the product is no test.
    check("//! # Invariants\n//! - I1: x. [tests: f]\nfn f() {}\n", &[], &["names the test f"]);
}

#[test]
fn crates_without_models_only_state_invariants() {
    let source = ("crates/status/src/a.rs", "//! # Invariants\n//! - I1: x.\n");
    let tree = Tree::of(&[MODELS, source]);
    assert!(Declared::read(&tree).heads.is_empty());
}

#[test]
fn a_head_goes_on_in_its_sibling() {
    let source = ("crates/wait/src/a.rs", "//! A.\n#![doc = include_str!(\"a.md\")]\n");
    let tree = Tree::of(&[MODELS, source, ("crates/wait/src/a.md", "# Invariants\n- I1: x.\n")]);
    assert_eq!(labels(&tree, &tree.files[1]), ["I1"]);
    assert_eq!(Declared::read(&tree).faults().len(), 1);
}

#[test]
fn the_table_says_what_kills_each() {
    let text = declared(GOOD, &[("m", "a.push"), ("m", "a.take"), ("n", "a.take")]).render();
    for line in [
        "| I1 | what is pushed \\| is taken, once. | a.push | m (\"lost\") |",
        "| | | a.take | m (\"lost\"), n (\"lost\") |",
        "| I2 | nothing else. | | by construction: there is (only) one field |",
        "| a.peek | crates/wait/src/a.rs | equivalent: the value is only a hint. |",
    ] {
        assert!(text.contains(&line.replace("| | | a.take", "|  |  | a.take")), "{line} is not in\n{text}");
    }
}

#[test]
fn the_table_does_not_claim_what_a_run_refuted() {
    let mut declared = declared(GOOD, &[("m", "a.push"), ("m", "a.take"), ("n", "a.take")]);
    declared.refute("a.take", "m");
    assert!(declared.render().contains("| a.take | NOT KILLED by m (\"lost\"), n (\"lost\") |"));
}

#[test]
fn a_page_names_models_and_tests_that_exist() {
    let page = "`a_model_of_ours`, `holds`, `a_test_that_went`, `Mutex`, `model_kit`, `docs/a_b_c.md`";
    let mut declared = declared(GOOD, &[]);
    assert_eq!(declared.strangers(page, &["a_model_of_ours"]), ["a_test_that_went"]);
    declared.tests.insert(("crates/wait".to_owned(), "a_test_that_went".to_owned()));
    assert!(declared.strangers(page, &["a_model_of_ours"]).is_empty());
}
