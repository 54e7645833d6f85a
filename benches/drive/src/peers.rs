//! Who is measured.

use Kind::*;
use Program::*;

/// One row of the tables: a library in one of its idioms.
#[derive(Debug)]
pub struct Peer {
    /// As in the report.
    pub name: &'static str,
    /// What it is to raddle.
    pub kind: Kind,
    /// What answers for it.
    pub program: Program,
    /// The idiom, as its program calls it.
    pub form: &'static str,
    /// The problems that it answers.
    pub problems: &'static [&'static str],
}

/// What somebody is to raddle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// raddle, in one of its forms.
    Ours,
    /// What a user would take instead.
    Rival,
    /// A bound, not a choice: the kernel alone, no threads at all, compiled code.
    Mark,
}

/// What answers for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A package of this workspace.
    Cargo(&'static str),
    /// The same, which takes minutes to build.
    Heavy(&'static str),
    /// The same, which does not build everywhere: it wants more than Rust.
    Fragile(&'static str),
    /// A source in `peers/cpp`, with the libraries that it is linked with.
    Cpp(&'static str, &'static [&'static str]),
}

impl Program {
    /// The name of the executable.
    pub fn name(self) -> String {
        match self {
            Cargo(package) | Heavy(package) | Fragile(package) => package.to_owned(),
            Cpp(stem, _) => format!("bench-peer-{stem}"),
        }
    }
}

const RADDLE: Program = Cargo("bench-peer-raddle");
const FLOOR: Program = Cargo("bench-peer-floor");
const WASMI: Program = Cargo("bench-peer-wasmi");
const RAYON: Program = Cargo("bench-peer-rayon");
const IREE: Program = Cargo("bench-peer-iree");
const MIO: Program = Cargo("bench-peer-mio");
const TBB: Program = Cpp("onetbb", &["tbb"]);

const fn peer(
    name: &'static str,
    kind: Kind,
    program: Program,
    form: &'static str,
    problems: &'static [&'static str],
) -> Peer {
    Peer { name, kind, program, form, problems }
}

/// All of them, in the order of the tables.
pub const ALL: &[Peer] = &[
    peer("raddle", Ours, RADDLE, "", &["graphs", "waits", "machines", "flights", "programs"]),
    peer("raddle, caller lends", Ours, RADDLE, "lends", &["graphs"]),
    peer("raddle, one-shot", Ours, RADDLE, "one-shot", &["waits"]),
    peer("raddle, drained", Ours, RADDLE, "drained", &["waits"]),
    peer("raddle, async build", Ours, RADDLE, "async", &["programs"]),
    peer("raddle, turned", Ours, RADDLE, "turned", &["programs"]),
    peer("raddle, callback", Ours, RADDLE, "callback", &["programs"]),
    peer("rayon", Rival, RAYON, "", &["graphs"]),
    peer("rayon, iterator", Rival, RAYON, "iterator", &["graphs"]),
    peer("oneTBB, flow graph", Rival, TBB, "flow", &["graphs"]),
    peer("oneTBB, task group", Rival, TBB, "group", &["graphs"]),
    peer("Taskflow", Rival, Cpp("taskflow", &[]), "", &["graphs"]),
    peer("mio", Rival, MIO, "", &["waits"]),
    peer("mio, hand-off", Rival, MIO, "hand-off", &["waits"]),
    peer("tokio", Rival, Cargo("bench-peer-tokio"), "", &["graphs", "waits"]),
    peer("smol", Rival, Cargo("bench-peer-smol"), "", &["graphs", "waits"]),
    peer("wasmi", Rival, WASMI, "", &["machines"]),
    peer("wasmi on tokio", Rival, WASMI, "tokio", &["flights"]),
    peer("wasmi on rayon", Rival, WASMI, "rayon", &["flights"]),
    peer("wasm3", Rival, Fragile("bench-peer-wasm3"), "", &["machines"]),
    peer("Lua", Rival, Cargo("bench-peer-lua"), "", &["machines"]),
    peer("IREE", Rival, IREE, "", &["machines"]),
    peer("IREE, local-sync", Rival, IREE, "local-sync", &["programs"]),
    peer("IREE, local-task", Rival, IREE, "local-task", &["programs"]),
    peer("IREE, two processes", Mark, IREE, "two-processes", &["programs"]),
    peer("wasmtime", Mark, Heavy("bench-peer-wasmtime"), "", &["machines"]),
    peer("sequential", Mark, Cargo("bench-peer-sequential"), "", &["graphs"]),
    peer("floor, two unparks", Mark, FLOOR, "unpark", &["graphs", "programs"]),
    peer("floor, blocking read", Mark, FLOOR, "read", &["waits"]),
    peer("floor, epoll_wait", Mark, FLOOR, "epoll", &["waits"]),
];

/// Prints them.
pub fn print() {
    for peer in ALL {
        println!("{:24} {:?} {}", peer.name, peer.kind, peer.problems.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;
    use bench_harness::Goal;

    fn find(name: &str) -> Option<&'static Peer> {
        ALL.iter().find(|peer| peer.name == name)
    }

    #[test]
    fn names_are_different_and_aims_name_peers() {
        for (at, peer) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.name != peer.name), "{}", peer.name);
        }
        for case in plan::cases() {
            for aim in case.metrics.iter().flat_map(|metric| metric.aims) {
                assert_eq!(find(aim.peer).expect(aim.peer).kind, Ours);
                let names = match aim.goal {
                    Goal::Figure(_) => vec![],
                    Goal::Times(_, name) | Goal::TimesPlus(_, name, _) => vec![name],
                    Goal::SumPlus(one, other, _) => vec![one, other],
                };
                for name in names {
                    let (problem, _) = case.name.split_once('/').unwrap();
                    assert!(find(name).expect(name).problems.contains(&problem), "{name} in {}", case.name);
                }
            }
        }
    }
}
