//! Virtual machines whose programs can be suspended: loops, calls, imports, suspension, memory.
//!
//! The same programs in the languages that the peers run: `wasm` (text), `raddle` (assembly, which is IREE's bytecode
//! once assembled), `lua`. Every result is compared with what it must be.

#![forbid(unsafe_code)]

use bench_harness::{Aim, Answer, Axis, Case, Goal, Metric, Request, heap_bytes, resident_bytes, rounds};
use std::any::Any;
use std::hint::black_box;

/// The programs as WebAssembly text.
pub const WASM: &str = include_str!("programs.wat");
/// The programs as assembly of raddle's.
pub const RADDLE: &str = include_str!("../../../../crates/vm/examples/programs.vmasm");
/// The programs in Lua.
pub const LUA: &str = include_str!("programs.lua");

const OURS: &str = "raddle";
const PER_CALL: &str = "ns per call";

const fn alone(name: &'static str, usual: usize) -> Axis {
    Axis { name, usual, growth: &[] }
}

/// The cases.
pub const CASES: &[Case] = &[
    Case {
        name: "machines/loop",
        what: "a loop of `mul, add, add, cmp, br`, as WebAssembly has it when written by hand",
        metrics: &[Metric::less("time", "ns per iteration", &[Aim::always(OURS, Goal::Times(0.9, "wasmi"))])],
        axis: alone("iterations", 3_000_000),
        workers: &[1],
        samples: 9,
    },
    Case {
        name: "machines/fused-loop",
        what: "the same loop as iree-compile emits it: `fma, add, cmp, cond_br`",
        metrics: &[Metric::less("time", "ns per iteration", &[Aim::always(OURS, Goal::Times(0.6, "IREE"))])],
        axis: alone("iterations", 3_000_000),
        workers: &[1],
        samples: 9,
    },
    Case {
        name: "machines/fib",
        what: "fib(27), that is 635,621 calls",
        metrics: &[Metric::less("time", "ms", &[Aim::always(OURS, Goal::Times(0.6, "wasmi"))])],
        axis: alone("n", 27),
        workers: &[1],
        samples: 9,
    },
    Case {
        name: "machines/import",
        what: "calls of a function of the host, in a loop",
        metrics: &[Metric::less("time", PER_CALL, &[Aim::always(OURS, Goal::Figure(8.0))])],
        axis: alone("calls", 1_000_000),
        workers: &[1],
        samples: 9,
    },
    Case {
        name: "machines/suspend",
        what: "calls of a function of the host that suspends the program, which the host resumes",
        metrics: &[Metric::less("time", "ns per round trip", &[Aim::always(OURS, Goal::Figure(40.0))])],
        axis: alone("suspensions", 200_000),
        workers: &[1],
        samples: 9,
    },
    Case {
        name: "machines/empty",
        what: "warm calls of a function that does nothing",
        metrics: &[Metric::less("time", PER_CALL, &[Aim::always(OURS, Goal::Figure(10.0))])],
        axis: alone("calls", 500_000),
        workers: &[1],
        samples: 9,
    },
    Case {
        name: "machines/suspended",
        what: "programs that are suspended in an import, with 12 numbers (and 6 references, where there are any) alive",
        metrics: &[
            Metric::less("heap", "B per program", &[Aim::always(OURS, Goal::Figure(512.0))]),
            Metric::less("resident", "B per program", &[]),
        ],
        axis: Axis { name: "programs", usual: 10_000, growth: &[100, 1_000, 10_000, 100_000] },
        workers: &[1],
        samples: 1,
    },
    Case {
        name: "machines/load",
        what: "a module of so many functions like fib is loaded: parsed, verified, translated",
        metrics: &[Metric::less("time", "us per function", &[])],
        axis: Axis { name: "functions", usual: 100, growth: &[1, 10, 100, 1_000] },
        workers: &[1],
        samples: 9,
    },
];

/// A function of the programs, by what it is called in all languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Sums squares.
    Loop,
    /// The same, fused.
    FusedLoop,
    /// Fibonacci numbers, by recursion.
    Fib,
    /// Calls `inc` of the host so often.
    Imports,
}

impl Function {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Loop => "loop",
            Function::FusedLoop => "fused_loop",
            Function::Fib => "fib",
            Function::Imports => "imports",
        }
    }

    /// What it must return.
    pub fn result(self, argument: i32) -> i32 {
        match self {
            Function::Loop | Function::FusedLoop => {
                (0..argument).fold(0, |sum: i32, i| sum.wrapping_add(i.wrapping_mul(i)))
            }
            Function::Fib => (0..argument).fold((0, 1), |(a, b), _| (b, a + b)).0,
            Function::Imports => argument,
        }
    }
}

/// What a machine can do; `None` where it has nothing for it.
pub trait Machine {
    /// Calls a function.
    fn call(&mut self, _function: Function, _argument: i32) -> Option<i32> {
        None
    }
    /// Calls the function that does nothing so often.
    fn empty(&mut self, _calls: usize) -> Option<()> {
        None
    }
    /// Calls the function that suspends itself so often, each time to be resumed with its argument and 1; returns the
    /// program's result and how often it was suspended.
    fn suspend(&mut self, _times: usize) -> Option<(i32, usize)> {
        None
    }
    /// Starts so many programs that are suspended, and keeps them.
    fn suspended(&mut self, _programs: usize) -> Option<Box<dyn Any>> {
        None
    }
    /// Loads a module of so many functions, all the way to where a function could be called. What can be made
    /// once for many modules is made here, what is returned loads one.
    fn loader(&mut self, _functions: usize) -> Option<Box<dyn FnMut()>> {
        None
    }
}

/// Measures the case that is asked for.
pub fn answer(request: &Request, machine: &mut impl Machine) -> Answer {
    measure(request, machine).unwrap_or_else(|| Answer::absent("it can't do this"))
}

fn measure(request: &Request, machine: &mut impl Machine) -> Option<Answer> {
    let size = request.size as f64;
    match request.parts().1 {
        "loop" => called(request, machine, Function::Loop, size),
        "fused-loop" => called(request, machine, Function::FusedLoop, size),
        "fib" => called(request, machine, Function::Fib, 1e6),
        "import" => called(request, machine, Function::Imports, size),
        "empty" => {
            machine.empty(1)?;
            Some(Answer::one(
                "time",
                rounds(request.samples, size, || {
                    machine.empty(request.size);
                }),
            ))
        }
        "suspend" => {
            let expected = (request.size as i32, request.size);
            assert_eq!(machine.suspend(request.size)?, expected, "result, suspensions");
            Some(Answer::one(
                "time",
                rounds(request.samples, size, || {
                    black_box(machine.suspend(request.size));
                }),
            ))
        }
        "suspended" => suspended(request, machine),
        "load" => {
            let load = machine.loader(request.size)?;
            Some(Answer::one("time", rounds(request.samples, size * 1e3, load)))
        }
        other => Some(Answer::absent(format!("no case `{other}`"))),
    }
}

fn called(request: &Request, machine: &mut impl Machine, function: Function, units: f64) -> Option<Answer> {
    let argument = request.size as i32;
    assert_eq!(machine.call(function, argument)?, function.result(argument), "{}", function.name());
    Some(Answer::one(
        "time",
        rounds(request.samples, units, || {
            black_box(machine.call(function, black_box(argument)));
        }),
    ))
}

/// Few programs first, so that what a machine sets up once is not counted.
fn suspended(request: &Request, machine: &mut impl Machine) -> Option<Answer> {
    let _few = machine.suspended(10)?;
    let (heap, resident) = (heap_bytes(), resident_bytes());
    let _keep = machine.suspended(request.size)?;
    let each = |bytes: f64| vec![bytes / request.size as f64];
    let answer = Answer::one("heap", each((heap_bytes() - heap) as f64));
    Some(answer.and("resident", each(resident_bytes() - resident)))
}

/// The programs of [`RADDLE`] that call nothing of a host's, for a machine that has no such host.
pub fn raddle_alone() -> String {
    let mut functions = RADDLE.split("vm.func ");
    let head = functions.next().unwrap_or_default();
    let alone: Vec<&str> = functions.filter(|function| !function.contains("@host.")).collect();
    let is_alone = |name: &str| alone.iter().any(|function| function.starts_with(&format!("{name}(")));
    let mut text: String = head
        .lines()
        .filter(|line| !line.starts_with("vm.import"))
        .filter(|line| line.strip_prefix("vm.export ").is_none_or(is_alone))
        .flat_map(|line| [line, "\n"])
        .collect();
    text.extend(alone.iter().flat_map(|function| ["vm.func ", function]));
    text
}

/// A module of so many functions like fib, in WebAssembly's text.
pub fn wasm_of(functions: usize) -> String {
    let mut text = String::from("(module\n");
    for index in 0..functions {
        text.push_str(&format!(
            "(func $f{index} (export \"f{index}\") (param $n i32) (result i32)
               (if (result i32) (i32.lt_s (local.get $n) (i32.const 2)) (then (local.get $n))
                 (else (i32.add (call $f{index} (i32.sub (local.get $n) (i32.const 1)))
                                (call $f{index} (i32.sub (local.get $n) (i32.const 2)))))))\n"
        ));
    }
    text.push(')');
    text
}

/// The same in raddle's assembly.
pub fn raddle_of(functions: usize) -> String {
    let mut text = String::from("vm.module @many\n");
    for index in 0..functions {
        text.push_str(&format!("vm.export @f{index}\n"));
    }
    let (_, fib) = RADDLE.split_once("vm.func @fib").expect("it is there");
    let (fib, _) = fib.split_once("\n}\n").expect("it ends");
    for index in 0..functions {
        text.push_str(&format!("vm.func @f{index}{}\n}}\n", fib.replace("@fib", &format!("@f{index}"))));
    }
    text
}

/// The same in Lua.
pub fn lua_of(functions: usize) -> String {
    let one = |index| {
        format!(
            "function f{index}(n) if n < 2 then return n end return f{index}(n - 1) + f{index}(n - 2) end\n"
        )
    };
    (0..functions).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_what_they_are_known_to_be() {
        assert_eq!(Function::Fib.result(27), 196_418);
        assert_eq!(Function::Loop.result(4), 14);
        assert_eq!(Function::Imports.result(9), 9);
    }

    #[test]
    fn programs_alone_have_no_host() {
        let text = raddle_alone();
        assert!(!text.contains("host"));
        assert_eq!((text.matches("vm.export").count(), text.matches("vm.func").count()), (5, 6));
    }

    #[test]
    fn programs_of_many_functions_have_them() {
        assert_eq!(raddle_of(3).matches("vm.func").count(), 3);
        assert_eq!(raddle_of(3).matches("vm.call @f2").count(), 2);
        assert_eq!(wasm_of(3).matches("(func ").count(), 3);
        assert_eq!(lua_of(3).lines().count(), 3);
    }
}
