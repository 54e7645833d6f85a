//! What the fuzz target and the tests of hostile files do with some bytes.

use raddle_vm::{Listing, Module, assemble, disassemble};

/// Loads the bytes and, if they are a module, asks everything that can be asked of it.
///
/// Whatever loads must survive the way through text: text and verifier know the same rules.
pub fn exercise(bytes: &[u8]) -> Result<Module, raddle_status::Error> {
    let module = Module::load(bytes.to_vec())?;
    for function in module.functions() {
        let _ = (function.debug_name(), format!("{function:?}"));
        for inst in function.instructions().take(64) {
            let _ = function.location(inst.pc).map(|location| location.to_string());
        }
    }
    if let Ok(text) = disassemble(&module, Listing::default()) {
        let again = assemble(&text).and_then(|built| Module::load(built.build()));
        let again = again.unwrap_or_else(|error| panic!("{error}\n{text}"));
        for (a, b) in module.functions().zip(again.functions()) {
            assert_eq!(a.signature(), b.signature());
            if !has_duplicate_types(&module) {
                assert_eq!(a.code(), b.code());
            }
        }
    }
    Ok(module)
}

/// Text names types, so that of two of the same name the first stands for both.
fn has_duplicate_types(module: &Module) -> bool {
    let mut names: Vec<_> = module.types().iter().collect();
    names.sort();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
