//! wasmi: an interpreter of WebAssembly whose calls can be suspended by an error of the host's and resumed.
//!
//! Alone for the machines; under tokio (form `tokio`) or rayon (form `rayon`) for many programs in flight, as a user
//! would join them by hand: a store for each program that may be suspended, one for each thread otherwise.

#![forbid(unsafe_code)]

mod flights;
mod machines;

use bench_harness::{Answer, Counting, serve};
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Counting = Counting;

fn main() -> ExitCode {
    serve("2", |request| match request.parts().0 {
        "machines" => bench_machines::answer(request, &mut machines::Wasmi::new()),
        "flights" => bench_flights::answer(request, &flights::Hosted::new(request)),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}
