//! Regression only; the peers are in benches/.
//!
//! Prints the first part of `docs/figures.md`: `cargo bench --package raddle-task --bench quick`. Words after `--`
//! choose cases whose names contain one of them.

mod graphs;
mod machine;
mod memory;
mod table;
mod timers;
mod waits;

use table::Table;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// A family of cases.
type Family = fn(&mut Table);

const FAMILIES: [(&str, Family); 4] = [
    ("Task graphs, empty tasks", graphs::measure),
    ("Waiting", waits::measure),
    ("Memory", memory::measure),
    ("Timers", timers::measure),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    println!("# Figures\n");
    println!(
        "Regression only: they are measured in one process of ours, without the peers; the aims are ratios to the"
    );
    println!(
        "peers' figures, given here for orientation. Counts (allocations, system calls, context switches) are"
    );
    println!("settled by `crates/task/tests/counts_*.rs`. Up to the timers this is the output of\n");
    println!("```sh\ncargo bench --package raddle-task --bench quick\n```\n");
    println!("{}", machine::describe());
    for (title, family) in FAMILIES {
        let mut table = Table::new(&words);
        family(&mut table);
        table.print(title);
    }
}
