//! The native module `host`, which scripts may import.
//!
//! Not here: hosts of single tests, which have their own.

use raddle_status::{Code, Error, Result};
use raddle_vm::{Flow, Module, NativeModule, Variadic};

/// Whether a module needs it; `iree-run-module` can't run one that does.
pub fn is_needed(module: &Module) -> bool {
    module.imports().iter().any(|import| import.full_name.starts_with("host."))
}

/// `sum(first, (factor, summand)...)`, at once and after giving up the turn.
///
/// # Errors
/// None: its functions have different names.
pub fn module() -> Result<NativeModule> {
    NativeModule::builder("host")
        .function("sum", |_: &(), first: i64, rest: Variadic<'_, (i32, i64)>| sum(first, rest))
        .function("sum_later", |_: &(), first: i64, rest: Variadic<'_, (i32, i64)>| {
            let sum = sum(first, rest);
            Ok(Flow::give_way(move |_| sum))
        })
        .build()
}

fn sum(first: i64, rest: Variadic<'_, (i32, i64)>) -> Result<i64> {
    rest.iter().try_fold(first, |sum, (factor, summand)| match factor {
        ..0 => Err(Error::new(Code::OutOfRange, "a negative factor")),
        _ => Ok(sum + i64::from(factor) * summand),
    })
}
