//! raddle itself.
//!
//! | form | what it is |
//! |---|---|
//! | (none) | the usual way: work is submitted, the caller sleeps; waits within the process |
//! | `lends` | the caller lends its thread (`Executor::run`) |
//! | `one-shot` | descriptors that are waited for once at a time: others may use them, too |
//! | `drained` | descriptors whose only reader is the program |
//! | `async` | programs that are compiled for fences |
//! | `turned` | no workers: the caller turns until its program is done |
//! | `callback` | the caller sleeps until it is called back |
//! | `looped` | the VM's other engine, a loop around a match |

#![deny(unsafe_code)]

mod flights;
mod graphs;
mod machines;
mod programs;
mod waits;

use bench_harness::{Answer, Counting, serve};
use raddle_task::Executor;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Counting = Counting;

fn executor(workers: usize) -> Executor {
    Executor::builder().workers(workers).build().expect("an executor")
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = words.split_first()
        && first == programs::FIRST_CALL
    {
        programs::first_call(rest);
        return ExitCode::SUCCESS;
    }
    serve(env!("CARGO_PKG_VERSION"), |request| match request.parts().0 {
        "graphs" => {
            let is_lent = request.form == "lends";
            bench_graphs::answer(request, &graphs::Ours { executor: executor(request.workers), is_lent })
        }
        "waits" => {
            let ours = waits::Ours { executor: executor(request.workers), form: request.form.clone() };
            bench_waits::answer(request, &ours)
        }
        "machines" => bench_machines::answer(request, &mut machines::Ours::new(&request.form)),
        "programs" => bench_programs::answer(request, &programs::Ours::new(request.workers, &request.form)),
        "flights" => bench_flights::answer(request, &flights::Ours::new(request.workers)),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}
