//! The command from outside: files, streams, exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/programs");

fn raddle(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_raddle"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn check(arguments: &[&str], input: &[u8], code: i32, message: &str) -> Vec<u8> {
    let output = raddle(arguments, input);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(code) && told.contains(message), "{arguments:?}: {told}");
    output.stdout
}

#[test]
fn a_module_goes_through_text_and_back() {
    let file = format!("{PROGRAMS}/hal/state.vmfb");
    let text = check(&["dump", &file], b"", 0, "");
    for container in [&["asm", "--output=-", "-"][..], &["asm", "--zip", "--output=-", "-"]] {
        let module = check(container, &text, 0, "");
        assert_eq!(check(&["dump", "-"], &module, 0, ""), text);
    }
    let addresses = check(&["dump", "--addresses", &file], b"", 0, "");
    assert!(String::from_utf8(addresses).unwrap().contains("\n[00000000]^bb0:\n[00000001]  %"));
}

#[test]
fn exit_codes_are_status_numbers() {
    check(&[], b"", 3, "a verb is missing");
    check(&["fly"], b"", 3, "no verb 'fly'");
    check(&["dump"], b"", 3, "one file expected");
    check(&["dump", "--bogus", "x"], b"", 3, "no flag --bogus");
    check(&["dump", "/no/such/file"], b"", 5, "NOT_FOUND");
    check(&["dump", "-"], b"not a module at all", 3, "IREE");
    check(&["asm", "-"], b"", 3, "--output=FILE is missing");
    check(&["asm", "--output=-", "-"], b"vm.module @m\nvm.export @f", 5, "line 2");
    let wrong =
        b"vm.module @m\n//! registers 1, 0\nvm.func @f() -> () {\n  %i4 = vm.const.i32.zero\n  vm.return\n}";
    check(&["asm", "--output=-", "-"], wrong, 11, "m.fn0+00000001");
    assert!(!check(&["asm", "--no-verify", "--output=-", "-"], wrong, 0, "").is_empty());
    for help in [&["--help"][..], &["dump", "--help"], &["asm", "--help"]] {
        assert!(check(help, b"", 0, "").starts_with(b"usage: raddle"));
    }
}
