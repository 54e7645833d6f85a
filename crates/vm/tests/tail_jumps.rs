//! Every handler of the chained engine leaves through a jump: the machine code of an optimised build is looked at.
//!
//! The subject is this test binary itself, which contains the engine. The workspace's profiles see to it that tests
//! have both engines; where `RADDLE_VM_LOOP_ONLY` was set, and under Miri, there is nothing to look at.

use raddle_vm::Engine;
use std::collections::BTreeMap;
use std::process::Command;

/// Disassembled functions: name to instructions.
fn handlers() -> BTreeMap<String, Vec<String>> {
    let path = std::env::current_exe().expect("a test has a binary");
    let output = Command::new("objdump").args(["-d", "-C", "--no-show-raw-insn"]).arg(path).output();
    let output = output.expect("objdump of binutils is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|line| line.split_once("chained::handler::")) {
            current = Some(name.1.to_owned());
        } else if line.is_empty() {
            current = None;
        } else if let (Some(name), Some((_, inst))) = (&current, line.split_once('\t')) {
            found.entry(name.clone()).or_default().push(inst.trim().to_owned());
        }
    }
    found
}

#[test]
fn every_handler_ends_in_a_jump() {
    // Linking the engine in is what makes it part of this binary.
    let module =
        raddle_vm::assemble("vm.module @m\nvm.export @f\nvm.func @f() -> () {\n  vm.return\n}\n").unwrap();
    let module = raddle_vm::Module::load(module.build()).unwrap();
    let program = raddle_vm::Program::new(module, &raddle_vm::Registry::new()).unwrap();
    let context = raddle_vm::Context::builder().program(program).build().unwrap();
    let idle = raddle_vm::Idle::new(&context.function("f").unwrap(), &raddle_vm::Storage::default()).unwrap();
    assert!(matches!(idle.begin(&[], &raddle_vm::Slice::default()), raddle_vm::Outcome::Finished(_)));
    if cfg!(miri) || option_env!("RADDLE_VM_LOOP_ONLY").is_some_and(|value| !value.is_empty()) {
        return;
    }
    assert_eq!(Engine::ALL.len(), 2, "there is no chained engine: see crates/vm/build.rs and the profiles");
    let handlers = handlers();
    assert!(
        handlers.len() > 150,
        "only {} handlers were found; identical ones may be merged",
        handlers.len()
    );
    // These always leave the engine: they have no next handler.
    let last = ["Fail", "Yield", "TooManyArguments", "Finish"];
    let mut wrong = Vec::new();
    for (name, insts) in handlers.iter().filter(|(name, _)| !last.contains(&name.as_str())) {
        let indirect_jump = insts.iter().any(|inst| {
            let (op, target) = inst.split_once(char::is_whitespace).unwrap_or((inst, ""));
            let target = target.trim();
            (op == "jmp" && target.starts_with('*')) || op == "br"
        });
        let indirect_call = insts.iter().any(|inst| {
            let (op, target) = inst.split_once(char::is_whitespace).unwrap_or((inst, ""));
            // A call through a register could be the next handler; calls through the table of imports go to libm.
            (op == "call" && target.trim().starts_with("*%")) || op == "blr"
        });
        if !indirect_jump || indirect_call {
            wrong.push(name.clone());
        }
    }
    assert!(wrong.is_empty(), "handlers that do not jump to the next: {wrong:?}");
}
